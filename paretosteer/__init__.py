"""paretosteer: benchmark and evaluation harness for controllable multi-objective generation.

The public API is this module and `paretosteer.metrics`:

    from paretosteer import leaderboard, load_cells  # results as pandas frames
    from paretosteer import Banks, Control, Method, option  # a method of your own

Every name is imported when it is first used, so importing the package costs nothing.
`__init__.pyi` lists the names; `dir(paretosteer)` shows them.
"""

import lazy_loader

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
