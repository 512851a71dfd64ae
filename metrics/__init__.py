"""Metrics of controllable multi-objective generation: pure functions of points and preferences.

Points are (k, m), higher is better, row l the outcome at preference l. Names are imported when they
are first used, so the catalogue alone costs milliseconds; `__init__.pyi` lists them.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
