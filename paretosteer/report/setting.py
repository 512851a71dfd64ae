"""What two cells must share before their figures may be compared."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, field, fields
from math import isfinite
from typing import Any

from paretosteer.load import UnreadableError

Vector = tuple[float, ...]


@dataclass(frozen=True)
class Objective:
    """One objective as the benchmark declares it."""

    name: str
    unit: str
    version: str


@dataclass(frozen=True)
class Setting:
    """Everything that must be equal within a table.

    `preferences` is the grid of the points without further dials, ascending; `prompts` the
    digest of the test prompts. Names that do not change a figure take no part in the comparison.
    """

    benchmark: str
    version: str
    objectives: tuple[Objective, ...]
    model: str = field(compare=False)
    weights: str
    mean: Vector
    std: Vector
    reference: Vector
    prompts: str
    prompt_count: int = field(compare=False)
    preferences: tuple[Vector, ...]
    dtype: str

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> "Setting":
        """Read the setting of a finished cell.

        Raises
        ------
        UnreadableError
            If the record's vectors do not fit its objectives, or its grid is empty or repeats.
        """
        setting = cls(
            benchmark=record["benchmark"]["name"],
            version=record["benchmark"]["version"],
            objectives=tuple(
                Objective(each["name"], each["unit"], each["version"])
                for each in record["objectives"]
            ),
            model=record["model"]["name"],
            weights=record["model"]["digest"],
            mean=tuple(record["normaliser"]["mean"]),
            std=tuple(record["normaliser"]["std"]),
            reference=tuple(record["reference"]),
            prompts=record["prompts"]["digest"],
            prompt_count=record["prompts"]["count"],
            preferences=tuple(
                tuple(record["points"][point]["preference"]) for point in ranked_points(record)
            ),
            dtype=record["dtype"],
        )
        _check(setting, record["points"])
        return setting

    @property
    def names(self) -> list[str]:
        """Names of the objectives."""
        return [objective.name for objective in self.objectives]

    def order(self) -> str:
        """A key by which settings sort, stable between runs."""
        first = (self.benchmark, self.version, len(self.objectives), self.model)
        return json.dumps([first, astuple(self)], ensure_ascii=False)


def ranked_points(record: Mapping[str, Any]) -> list[int]:
    """Indices of the points without further dials, by ascending preference.

    All methods are compared at one point per preference; a second dial's points are shown.
    """
    points = record["points"]
    plain = [index for index, point in enumerate(points) if not point["dials"]]
    return sorted(plain, key=lambda index: points[index]["preference"])


def distinctions(settings: Sequence[Setting]) -> list[dict[str, str]]:
    """For each setting, what it has that not all of them have, in words."""
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
    """A vector as people write it: (−2, 0.5)."""
    return "(" + ", ".join(f"{value:.6g}".replace("-", "−") for value in vector) + ")"


_TITLES = {
    "version": "benchmark version",
    "weights": "start model",
    "mean": "normaliser mean",
    "std": "normaliser std",
    "prompts": "test prompts",
    "dtype": "precision",
}


def _words(setting: Setting, name: str) -> str:
    match name:
        case "objectives":
            return ", ".join(f"{each.name} (version {each.version})" for each in setting.objectives)
        case "weights":
            return f"{setting.model} ({setting.weights[:8]})"
        case "prompts":
            return f"{setting.prompt_count} prompts ({setting.prompts[:8]})"
        case "preferences":
            return f"{len(setting.preferences)} points"
        case "mean" | "std" | "reference":
            return vector_words(getattr(setting, name))
    return str(getattr(setting, name))


def _check(setting: Setting, points: Sequence[Mapping[str, Any]]) -> None:
    m = len(setting.objectives)
    vectors = {
        "normaliser.mean": [setting.mean],
        "normaliser.std": [setting.std],
        "reference": [setting.reference],
        "points": [point["preference"] for point in points],
    }
    for name, values in vectors.items():
        lengths = {len(value) for value in values} - {m}
        if lengths:
            raise UnreadableError(
                f"record.json: {name} has vectors of {min(lengths)} values for {m} objectives"
            )
    if not all(map(isfinite, setting.mean + setting.std + setting.reference)):
        raise UnreadableError("record.json: normaliser or reference is not finite")
    if min(setting.std) <= 0:
        raise UnreadableError("record.json: normaliser.std is not above 0")
    if not setting.preferences:
        raise UnreadableError("record.json: points has none without further dials")
    if len(set(setting.preferences)) < len(setting.preferences):
        raise UnreadableError("record.json: points has the same preference twice")
