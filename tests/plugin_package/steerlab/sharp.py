"""Sharp: Rewarded Soup with a contrast dial."""

import numpy as np

from paretosteer import Control, option
from paretosteer.methods.rewarded_soup import RewardedSoup


class Sharp(RewardedSoup):
    """Specialists mixed by the preference raised to a power."""

    class Options(RewardedSoup.Options):
        """Options of the method `sharp`."""

        power: float = option(2.0, "contrast: 1 is Rewarded Soup", above=0)

    def control(self, preferences, dials=None):
        """The mixture for each preference (k, m)."""
        raised = np.asarray(preferences) ** self.options.power
        return Control.soup(raised / raised.sum(axis=1, keepdims=True))
