"""From recorded cells to a report: leaderboard, figures and one self-contained page.

    from paretosteer.report import print_leaderboard, write_report

    print_leaderboard(write_report(["results/default"]))

Names are imported when they are first used, so that a command's help does not wait for pandas and
matplotlib.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
