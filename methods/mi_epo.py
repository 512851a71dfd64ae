"""MI-EPO: MO-ODPO, and a contrast that ties answers to the preference they were written for.

arXiv 2607.01392 (2026), from second-hand notes: no code is named, the body could not be read. The
pairs are MO-ODPO's with each objective's own winner. For an answer y that was sampled under w+ and
another preference w-, the loss gains

    -log sigma(beta_w [log pi(y|x, w+) - log pi(y|x, w-)]),

half for each of the two answers, the w+ term without gradient: other preferences move away from
this one's answers. With beta_w = 0 it is MO-ODPO.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from paretosteer import option
from paretosteer.methods.mo_odpo import MOODPO


class MIEPO(MOODPO):
    """One policy conditioned on w, trained by DPO on its own pairs and a contrast between w."""

    class Options(MOODPO.Options):
        """Options of MI-EPO."""

        feedback: ClassVar[str] = "preference_contrast"
        label: Literal["scalarised", "per_objective"] = option(
            "per_objective",
            "one winner by w . r, or one per objective with weighted losses",
        )
        beta_w: float = option(
            0.01, "temperature of the contrast between preferences; 0: no contrast", least=0
        )
