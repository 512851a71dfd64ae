"""Duo: a bandit of few actions."""

from paretosteer import option
from paretosteer.benchmarks.bandit.benchmark import Bandit


class Duo(Bandit):
    """The built-in bandit with other defaults."""

    name = "duo"
    version = "2"

    class Options(Bandit.Options):
        """Options of the benchmark `duo`."""

        actions: int = option(4, "actions to choose from", least=2)
