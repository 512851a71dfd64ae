"""Setting that two cells must share for their figures to be comparable."""

import json
from collections.abc import Sequence
from dataclasses import astuple, dataclass, field, fields, replace

from paretosteer.cells.record import Fold, ScoredRecord
from paretosteer.cells.scores import UnreadableError
from paretosteer.metrics.weight_rounding import preference_key

Vector = tuple[float, ...]


@dataclass(frozen=True)
class Objective:
    """An objective, as declared by the benchmark."""

    name: str
    unit: str
    version: str


@dataclass(frozen=True)
class Folds:
    """Folds of a cross-validation."""

    family: str  # digest of what all folds share
    of: int  # number of folds
    found: tuple[int, ...]  # folds that have cells


@dataclass(frozen=True)
class Setting:
    """Everything that must be equal within a table.

    `weights`, `mean`, `std` and `prompts` are empty if they differ between folds. Fields that do
    not affect figures are excluded from the comparison.
    """

    benchmark: str
    version: str
    objectives: tuple[Objective, ...]
    model: str = field(compare=False)
    weights: str  # digest of the start model and the data
    mean: Vector
    std: Vector
    reference: Vector
    prompts: str  # digest of the test prompts
    prompt_count: int = field(compare=False)
    # Of the points without further dials, ascending; compared by `grid`, the rounded ones.
    preferences: tuple[Vector, ...] = field(compare=False)
    grid: tuple[Vector, ...] = field(init=False)
    dtype: str
    kl_coefficient: float
    common_noise: bool  # whether all methods and preferences met the same noise
    folds: Folds | None

    def __post_init__(self) -> None:
        object.__setattr__(self, "grid", tuple(map(preference_key, self.preferences)))

    @classmethod
    def of(cls, record: ScoredRecord) -> "Setting":
        """Read the setting of a finished cell.

        Raises
        ------
        UnreadableError
            If the record's vectors do not match its objectives, or its grid is empty or has
            duplicates.

        """
        setting = cls(
            benchmark=record.benchmark.name,
            version=record.benchmark.version,
            objectives=tuple(
                Objective(each.name, each.unit, each.version) for each in record.objectives
            ),
            model=record.model.name,
            weights=record.model.digest,
            mean=record.normaliser.mean,
            std=record.normaliser.std,
            reference=record.reference,
            prompts=record.prompts.digest,
            prompt_count=record.prompts.count,
            preferences=tuple(record.points[point].preference for point in record.ranked_points()),
            dtype=record.dtype,
            kl_coefficient=record.kl_coefficient,
            common_noise=record.common_noise,
            folds=_folds(record.fold),
        )
        _check(setting, record.preferences)
        return setting

    @property
    def names(self) -> list[str]:
        return [objective.name for objective in self.objectives]

    def shared(self) -> "Setting":
        """Setting shared by all folds of a family, without the parts that differ between folds."""
        assert self.folds
        folds = replace(self.folds, found=())
        return replace(self, weights="", mean=(), std=(), prompts="", prompt_count=0, folds=folds)

    def apart_from_grid(self) -> "Setting":
        """Setting without its preferences: equal for cells whose points may be compared as sets."""
        return replace(self, preferences=())

    def order(self) -> str:
        """Sort key, stable between runs."""
        first = (self.benchmark, self.version, len(self.objectives), self.model)
        return json.dumps([first, astuple(self)], ensure_ascii=False)


def distinctions(settings: Sequence[Setting]) -> list[dict[str, str]]:
    """For each setting, its values of the fields that differ between them, as text."""
    differing = [
        one.name
        for one in fields(Setting)
        if one.compare and len({getattr(setting, one.name) for setting in settings}) > 1
    ]
    return [
        {_TITLES.get(name, name): _words(setting, name) for name in differing}
        for setting in settings
    ]


def vector_words(vector: Sequence[float]) -> str:
    """Format a vector: (−2, 0.5)."""
    return "(" + ", ".join(f"{value:.6g}".replace("-", "−") for value in vector) + ")"


def folds_words(folds: Folds) -> str:
    """Format folds: `5 folds (0123abcd)`, `folds 1–3 of 5 (0123abcd)`."""
    complete = len(folds.found) == folds.of > 1
    which = f"{folds.of} folds" if complete else f"{numbered('fold', folds.found)} of {folds.of}"
    return f"{which} ({folds.family[:8]})"


def numbered(noun: str, numbers: Sequence[int]) -> str:
    """Format ascending numbers with a noun: `fold 2`, `folds 1–3, 5`."""
    return f"{noun}{'s' * (len(numbers) > 1)} {ranges(numbers)}"


def ranges(numbers: Sequence[int]) -> str:
    """Format ascending numbers, joining runs: `1–3, 5`."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ", ".join(f"{run[0]}–{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs)


_TITLES = {
    "version": "benchmark version",
    "weights": "start model and data",
    "mean": "normaliser mean",
    "std": "normaliser std",
    "prompts": "test prompts",
    "grid": "preferences",
    "dtype": "precision",
    "kl_coefficient": "KL coefficient",
    "common_noise": "common random numbers",
    "folds": "cross-validation",
}


def _words(setting: Setting, name: str) -> str:
    if not getattr(setting, name) and name in ("weights", "mean", "std", "prompts"):
        return "different for each fold"
    match name:
        case "objectives":
            return ", ".join(f"{each.name} (version {each.version})" for each in setting.objectives)
        case "weights":
            return f"{setting.model} ({setting.weights[:8]})"
        case "prompts":
            return f"{setting.prompt_count} prompts ({setting.prompts[:8]})"
        case "grid":
            return f"{len(setting.preferences)} points"
        case "mean" | "std" | "reference":
            return vector_words(getattr(setting, name))
        case "kl_coefficient":
            return f"{setting.kl_coefficient:g}"
        case "common_noise":
            return "yes" if setting.common_noise else "no"
        case "folds":
            return folds_words(setting.folds) if setting.folds else "none"
    return str(getattr(setting, name))


def _folds(fold: Fold | None) -> Folds | None:
    if not fold:
        return None
    if fold.index > fold.of:
        raise UnreadableError(f"record.json: fold.index is {fold.index} of {fold.of}")
    return Folds(fold.family, fold.of, (fold.index,))


def _check(setting: Setting, preferences: Sequence[Vector]) -> None:
    m = len(setting.objectives)
    vectors = {
        "normaliser.mean": [setting.mean],
        "normaliser.std": [setting.std],
        "reference": [setting.reference],
        "points": preferences,
    }
    for name, values in vectors.items():
        lengths = {len(value) for value in values} - {m}
        if lengths:
            raise UnreadableError(
                f"record.json: {name} has vectors of {min(lengths)} values for {m} objectives"
            )
    if not setting.preferences:
        raise UnreadableError("record.json: all points have further dials")
    if len(set(setting.grid)) < len(setting.grid):
        raise UnreadableError("record.json: points has a duplicate preference")
