"""Duo: a bandit of few actions."""

from paretosteer.benchmarks.bandit.benchmark import Bandit
from paretosteer.config.options import option


class Duo(Bandit):
    """The built-in bandit with other defaults."""

    name = "duo"
    version = "2"

    class Options(Bandit.Options):
        """Options of the benchmark `duo`."""

        actions: int = option(4, "actions to choose from", least=2)
