"""Children's stories: continue an opening, trading sentiment, variety, readability and others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paretosteer.benchmark import TRAINING
from paretosteer.benchmarks.stories import openings
from paretosteer.config.options import BaseOptions, option
from paretosteer.objective import Objective
from paretosteer.runtime.progress import preparation
from paretosteer.storage.cache import unfinished
from paretosteer.text.function_objectives import Score, ScoredByFunctions, text_objectives
from paretosteer.text.samples import Prompt

if TYPE_CHECKING:
    from paretosteer.config.schema import Budget


class Stories(ScoredByFunctions):
    """Openings of stories; the objectives are conflicting functions of the continuation."""

    name = "stories"
    version = "1"
    prompts_version = openings.PROMPTS_VERSION

    class Options(BaseOptions):
        """Options of the benchmark `stories`."""

        objectives: tuple[str, ...] = option(("positive", "varied"), "objectives, two or more")
        max_new_tokens: int = option(40, "longest continuation, in tokens", least=1)
        min_new_tokens: int = option(
            40,
            "shortest continuation, in tokens; by default the same as the longest, because short "
            "text is trivially varied",
            least=0,
        )
        temperature: float = option(1.0, "temperature of sampling, above 0", above=0)
        pool_prompts: int = option(
            128, "training prompts in the pool for offline feedback", least=1
        )
        label_temperature: float = option(
            0.25, "softness of preference labels; near 0, the best always wins", above=0
        )

    @classmethod
    def training_defaults(cls, options: Options) -> Mapping[str, Any]:
        """As usual, but preferences shift layer outputs: small models learn to read no prompt."""
        return {**TRAINING, "condition": "shifts"}

    def scored(self) -> Sequence[tuple[Objective, Score]]:
        return [
            (Objective(o.name, o.unit, o.worst, o.description, o.version), o.score)
            for o in text_objectives(self.options.objectives)
        ]

    @classmethod
    def objective_versions(cls, options: Options) -> Mapping[str, str]:
        """Version of each chosen objective, by name."""
        return {o.name: o.version for o in text_objectives(options.objectives)}

    def split(self, name: str) -> Sequence[Prompt]:
        return _openings(name)

    @classmethod
    def embedded_key(cls, options: Options, budget: Budget) -> Mapping[str, Any]:
        from paretosteer.benchmarks.stories.embedded import EMBEDDED_VERSION

        return {"version": EMBEDDED_VERSION, "steps": budget.embedded_steps}

    def make_embedded(self, folder: Path) -> None:
        """Train a small Llama on the story grammar and print its cross-entropy."""
        from paretosteer.benchmarks.stories.embedded import STEPS, train_embedded
        from paretosteer.training.snapshots import Journal

        self.setting.say("training the embedded story model (once; then it is cached)")
        steps = self.setting.budget.embedded_steps or STEPS
        show = preparation("start model", steps)
        facts = train_embedded(
            folder,
            steps=steps,
            progress=lambda step, total, loss: show(step, {}),
            journal=Journal(unfinished(folder), say=self.setting.say),
        )
        self.setting.say(
            f"embedded model: {facts['cross_entropy']:.3f} nats per held-out token; the grammar's "
            f"entropy is {facts['grammar_entropy']:.3f}"
        )


@cache
def _openings(split: str) -> tuple[Prompt, ...]:
    return tuple(Prompt(p.id, p.text) for p in openings.prompts(split))
