"""Record of a cell: its configuration, results and cost, written last, checked when read.

`record.json` is one of three models by its status, `ScoredRecord`, `FailedRecord` or
`UnsupportedRecord`. `docs/schema/record.json` is the JSON Schema exported from them.
"""

from __future__ import annotations

import json
import os
import reprlib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    FailFast,
    Field,
    Strict,
    TypeAdapter,
    ValidationError,
)

from paretosteer.errors import UsageError
from paretosteer.metrics.weight_rounding import preference_key
from paretosteer.storage.atomic import write_json
from paretosteer.storage.digest import own_digest, with_digest
from paretosteer.storage.untrusted import RefusedError, read_json

RECORD = "record.json"
MOST_BYTES = 16 * 2**20  # of a record; a thousand points of eight objectives take half a megabyte
_LONGEST = 60  # characters of a key that messages quote whole
_LARGEST = 1e308  # of a number that a double holds


def _holds_finite_numbers(value: Any) -> Any:
    """Refuse numbers that a double cannot hold, at any depth."""
    if fault := _infinite(value):
        raise ValueError(fault)
    return value


def _infinite(value: Any, place: str = "") -> str:
    """Message on the first number that a double cannot hold; empty if there is none."""
    if isinstance(value, dict):
        parts = ((f"{place}.{_step(name)}", part) for name, part in value.items())
    elif isinstance(value, list):
        parts = ((f"{place}.{index}", part) for index, part in enumerate(value))
    elif isinstance(value, int | float) and not -_LARGEST <= value <= _LARGEST:
        return f"{place}: should be at most {_LARGEST:g}, found {reprlib.repr(value)}"
    else:
        return ""
    return next((fault for where, part in parts if (fault := _infinite(part, where))), "")


def _has_valid_cap(config: dict[str, Any]) -> dict[str, Any]:
    """Check `budget.steps`, which reports compare with the steps that were taken."""
    budget = config.get("budget", {})
    if not isinstance(budget, dict):
        raise ValueError(f".budget: should be an object, found {reprlib.repr(budget)}")
    steps = budget.get("steps")
    if steps is not None and not (type(steps) is int and 0 <= steps <= 10**18):
        raise ValueError(f".budget.steps: should be null or a count, found {reprlib.repr(steps)}")
    return config


# Steps, tokens, rows or bytes; no real count exceeds the maximum.
Count = Annotated[int, Field(ge=0, le=10**18)]
# The maximum of a duration is 30,000 years.
Seconds = Annotated[float, Field(ge=0, le=1e12)]
# Measured and configured values are of order 1; within bounds, their volumes are finite.
Measure = Annotated[float, Field(ge=-1e12, le=1e12)]
Vector = Annotated[tuple[Measure, ...], Strict(False), FailFast(), Field(min_length=1)]
# A smaller deviation is rounding error; a start model whose scores do not vary is refused.
Deviation = Annotated[float, Field(ge=1e-15, le=1e12)]
Deviations = Annotated[tuple[Deviation, ...], Strict(False), FailFast(), Field(min_length=1)]
Share = Annotated[float, Field(ge=0, le=1)]
Seed = Annotated[int, Field(ge=0, lt=2**64)]  # 64 bits, as torch takes them
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Values = Annotated[dict[str, Any], AfterValidator(_holds_finite_numbers)]


class _Part(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        allow_inf_nan=False,
        protected_namespaces=(),
        use_attribute_docstrings=True,
    )


class BenchmarkVersion(_Part):
    """A benchmark and its version."""

    name: str
    """Name in the registry."""
    version: str
    """Version that the benchmark states; it changes when its figures do."""


class StartModel(_Part):
    """Model that training started from."""

    name: str
    """Human-readable name of the model."""
    digest: str
    """Digest of all its files or of its training, and of the benchmark's data."""
    commit: str | None = None
    """Commit on the hub, if it came from there."""


class Fold(_Part):
    """Cross-validation fold of the cell."""

    index: Annotated[int, Field(ge=1, le=10**18)]
    """Number of the fold, from 1."""
    of: Annotated[int, Field(ge=1, le=10**18)]
    """Number of folds."""
    family: Digest
    """Digest of everything that all folds share."""


class Objective(_Part):
    """One objective as the benchmark declares it. Higher is better."""

    name: str
    """Name, and column of `scores.parquet`."""
    unit: str
    """Unit of the raw score."""
    worst: Annotated[float, Field(ge=-_LARGEST, le=_LARGEST)]
    """Raw score of a sample that could not be scored."""
    description: str
    """Behaviour that the objective rewards."""
    version: str
    """Version of the objective; it changes when its scores do."""


class Normaliser(_Part):
    """Mean and standard deviation of the start model's raw scores."""

    mean: Vector
    """Mean of each objective, raw units."""
    std: Deviations
    """Standard deviation of each objective, raw units."""


class Point(_Part):
    """One preference, with any dials, at which the method was evaluated."""

    preference: Vector
    """Weight of each objective; weights sum to 1."""
    dials: dict[str, Measure]
    """Further dials by name; empty at the points by which methods are compared."""


class Prompts(_Part):
    """Prompts that were answered."""

    split: str
    """Split of the benchmark's prompts."""
    count: Count
    """Number of prompts."""
    digest: Digest
    """Digest of the prompts' ids and of their version."""


class Oracle(_Part):
    """Exact Pareto front, in the coordinates of the points."""

    points: Annotated[list[Vector], FailFast(), Field(min_length=1)]
    """Best vector at the preference of each point."""
    start: Vector
    """Point of the start policy."""


class RewardModel(_Part):
    """A reward model, with its accuracy on held-out pairs that people compared."""

    model_config = ConfigDict(extra="allow")

    source: str
    """Origin of the model."""
    held_out_pairs: Annotated[int, Field(ge=1, le=10**18)]
    """Number of held-out pairs."""
    accuracy: Share
    """Share of the held-out pairs that it orders as people did."""
    baseline_accuracy: Share
    """Same share for a bag of words with default settings."""
    tuned_baseline_accuracy: Share | None = None
    """Same share for a bag of words with a cross-validated penalty."""


class RewardModels(_Part):
    """Reward models of the objectives."""

    models: dict[str, RewardModel]
    """Reward model of each objective."""
    judges: dict[str, RewardModel] = {}
    """Models that score the same samples and were not used in training."""
    judge_normaliser: Normaliser | None = None
    """Mean and deviation of the start model under the judges."""


class Git(_Part):
    """State of the checkout that the code came from."""

    commit: str | None
    """Commit; null outside a checkout."""
    dirty: bool | None
    """True if the code had uncommitted changes."""


class Cost(_Part):
    """Resources that the cell used."""

    train_steps: Count
    """Optimiser steps."""
    train_tokens: Count
    """Tokens that training sampled or learned from."""
    selection_tokens: Count
    """Tokens sampled to choose among controls."""
    reward_calls: Count
    """Samples scored in training."""
    flops: Annotated[float, Field(ge=0, le=1e30)]
    """Floating-point operations of training, estimated."""
    seconds: dict[str, Seconds]
    """Wall-clock seconds of each stage."""
    peak_memory_bytes: Count
    """Largest memory of training and sampling."""
    trained_parameters: Count
    """Number of trained weights."""
    stored_bytes: Count
    """Size of the checkpoint."""
    switch_seconds: Seconds
    """Median seconds from a new preference to a policy that serves it."""
    forward_passes_per_token: Annotated[float, Field(ge=0, le=1e12)] | None = None
    """Forward passes of a model per token of an answer, mean over preferences."""
    reward_calls_per_answer: Annotated[float, Field(ge=0, le=1e12)] | None = None
    """Candidates scored per answer, mean over preferences."""


class Error(_Part):
    """Error that ended a cell."""

    type: str
    """Class of the error."""
    message: str
    """Message, without secrets and control characters."""
    stage: str
    """Stage that the error ended."""


class Record(_Part):
    """Fields of every record, whatever its status."""

    schema_version: Literal[1] = Field(alias="schema")
    """Version of this format."""
    status: Literal["ok", "partial", "failed", "unsupported"]
    """Outcome of the cell."""
    identity: Annotated[str, Field(pattern=r"^[0-9a-f]{10}$")]
    """Training digest, shortened."""
    benchmark: BenchmarkVersion
    """Benchmark that the cell ran on."""
    fold: Fold | None = None
    """Fold of a cross-validation; absent where there is none."""
    model: StartModel | None = None
    """Start model; absent if it was never loaded."""
    method: str
    """Name of the method."""
    variant: str
    """Options that differ from the method's defaults."""
    method_files: Digest | None = None
    """Digest of the files that the method's options name (adapters, a reward model), if any."""
    exempt: bool = False
    """True if the method is exempt from the budget's cap."""
    cost_unknown: bool = False
    """True if parts of the policy were trained elsewhere, at an unknown cost."""
    seed: Seed
    """Seed of the cell."""
    config: Annotated[Values, AfterValidator(_has_valid_cap)]
    """Resolved configuration."""
    command: str
    """Command that reproduces the cell."""
    created: str
    """Time of writing, UTC, ISO 8601."""
    stages: dict[str, Digest]
    """Digest of each finished stage."""
    versions: dict[str, str]
    """Version of each package that may change a figure."""
    git: Git
    """State of the checkout."""
    source_digest: Digest
    """Digest of the source code, that of plug-ins included."""
    core_source_digest: Digest | None = None
    """Digest of the source code without plug-ins; absent where none was used."""
    plugins: dict[str, str] = {}
    """Plug-ins of the cell by what they provide, each with its package and version, or its file."""
    digest: Digest
    """Digest of everything else in the record."""

    @property
    def explanation(self) -> str:
        """Why the cell has no scores; empty where it has."""
        return ""

    def as_dict(self) -> dict[str, Any]:
        """Record as JSON, without the keys that were not set."""
        return self.model_dump(mode="json", by_alias=True, exclude_unset=True)


class ScoredRecord(Record):
    """Record of a cell whose samples were scored."""

    status: Literal["ok", "partial"]
    """`ok`, or `partial` if some scores are missing."""
    model: StartModel
    """Start model."""
    files: dict[str, Digest]
    """Digest of each file of the cell."""
    objectives: Annotated[list[Objective], FailFast(), Field(min_length=2, max_length=100)]
    """Objectives, in the order of every vector."""
    normaliser: Normaliser
    """Constants that turn raw scores into standard units."""
    reference: Vector
    """Reference point of the hypervolume, in the coordinates of the points."""
    points: Annotated[list[Point], FailFast()]
    """Points that were sampled, in the order of their numbers."""
    kl_coefficient: Annotated[float, Field(ge=0, le=1e12)] = 0.0
    """Points are in regularised coordinates: each normalised objective minus this times the KL."""
    oracle: Oracle | None = None
    """Exact Pareto front; absent if it is not known."""
    reward_models: RewardModels | None = None
    """Reward models; absent if no objective uses one."""
    main_objective: str | None = None
    """Objective that the others are auxiliary to; absent if there is none."""
    measures: dict[str, Annotated[list[Vector], FailFast()]] = {}
    """What the benchmark measured at each point besides scores, by name."""
    prompts: Prompts
    """Prompts that were answered at every point."""
    n_total: Count
    """Number of samples."""
    n_scored: Count
    """Number of samples that were scored."""
    n_failed: Count
    """Number of samples that could not be scored and got the worst score."""
    seeds: dict[str, Seed]
    """Seed of each stage that draws."""
    batch_size: dict[str, Count]
    """Rows of each kind of batch, and into how many parts or processes each was split."""
    dtype: str
    """Precision of the weights."""
    device: str
    """Device that the cell ran on."""
    selection: Values = {}
    """Choices that the method made on validation prompts."""
    notes: list[str] = []
    """Remarks to show beside the figures."""
    drift_warning: str | None = None
    """Warning that texts are usually damaged, with the largest KL; absent where the KL is small."""
    cost: Cost
    """Work, time and memory that the cell took."""

    @property
    def objective_names(self) -> list[str]:
        """Names of the objectives."""
        return [objective.name for objective in self.objectives]

    @property
    def preferences(self) -> list[tuple[float, ...]]:
        """Preference of every point."""
        return [point.preference for point in self.points]

    @property
    def uneven_measures(self) -> list[str]:
        """Names of the measures that are not one row for each point, all of one length."""
        return [
            name
            for name, rows in self.measures.items()
            if len(rows) != len(self.points) or len({len(row) for row in rows}) != 1
        ]

    @property
    def common_noise(self) -> bool:
        """True if the noise of samples is common to methods and preferences, as usual."""
        evaluation = self.config.get("evaluation")
        return not isinstance(evaluation, Mapping) or evaluation.get("common_noise") is not False

    def ranked_points(self) -> list[int]:
        """Indices of the points without further dials, by ascending preference.

        All methods are compared at one point per preference; points with further dials are shown.
        """
        plain = [index for index, point in enumerate(self.points) if not point.dials]
        return sorted(plain, key=lambda index: preference_key(self.points[index].preference))


class FailedRecord(Record):
    """Record of a cell that ended in an error."""

    status: Literal["failed"]
    """`failed`."""
    error: Error
    """Error that ended the cell."""

    @property
    def explanation(self) -> str:
        """Class, stage and message of the error."""
        return f"{self.error.type} while in {self.error.stage}: {self.error.message}"


class UnsupportedRecord(Record):
    """Record of a cell whose method needs something that the benchmark cannot give."""

    status: Literal["unsupported"]
    """`unsupported`."""
    reason: str
    """Requirement that the benchmark does not meet."""

    @property
    def explanation(self) -> str:
        """Requirement that the benchmark does not meet."""
        return self.reason


RECORDS: TypeAdapter[Record] = TypeAdapter(
    Annotated[
        ScoredRecord | FailedRecord | UnsupportedRecord,
        Field(discriminator="status", title="paretosteer cell record"),
    ]
)


def write_record(folder: Path, content: Mapping[str, Any]) -> Record:
    """Write `folder/record.json` from everything but its digest.

    Raises
    ------
    ValueError
        If it is not a valid record.

    """
    try:
        content = _as_read(content)
        record = parse_record(content)
    except ValueError as error:
        raise ValueError(f"record of {folder}: {error}") from None
    write_json(folder / RECORD, content)
    return record


def make_record(content: Mapping[str, Any]) -> Record:
    """Return the record that `write_record` would write."""
    return parse_record(_as_read(content))


def read_record(folder: Path) -> Record:
    """Read the record of a cell.

    Raises
    ------
    UsageError
        If there is none, or it is not valid.

    """
    path = folder / RECORD
    if not os.path.lexists(path):
        raise UsageError(f"{folder}: no {RECORD}; the cell never finished, run it again")
    try:
        content = read_json(folder, RECORD, MOST_BYTES)
    except RefusedError as refused:
        fault = str(refused).removeprefix(f"{RECORD} ")
        raise UsageError(f"{path}: cannot be read ({fault}); run the cell again") from None
    try:
        return parse_record(content)
    except ValueError as error:
        raise UsageError(f"{path}: not a valid record: {error}; run the cell again") from None


def parse_record(content: Any) -> Record:
    """Check parsed JSON; ValueError in one line with the dotted place if it is not a record."""
    if not isinstance(content, dict):
        raise ValueError(f"top level: should be an object, found {reprlib.repr(content)}")
    try:
        digest = own_digest(content)
        record = RECORDS.validate_python(content)
    except ValidationError as error:
        raise ValueError(_line(error)) from None
    except RecursionError:
        raise ValueError("nested too deeply") from None
    except ValueError:
        raise ValueError(
            "holds NaN, infinity or half a surrogate pair, which JSON cannot represent"
        ) from None
    if record.digest != digest:
        raise ValueError("was changed after it was written (its digest differs)")
    return record


def _as_read(content: Mapping[str, Any]) -> dict[str, Any]:
    """Content with its digest, as a reader of the file finds it."""
    return with_digest(json.loads(json.dumps(content)))


def _line(error: ValidationError) -> str:
    """First fault of a record in one line."""
    first = error.errors(include_url=False)[0]
    if first["type"].startswith("union_tag"):
        return "status: should be 'ok', 'partial', 'failed' or 'unsupported'"
    place = ".".join(map(_step, first["loc"][1:]))  # pydantic puts the chosen model first
    if first["type"] == "missing":
        return f"{place}: missing"
    if first["type"] == "extra_forbidden":
        return f"{place}: not a key of a record"
    if first["type"] == "value_error":  # a check of our own, which names the place below this one
        return f"{place}{first['ctx']['error']}"
    expected = first["msg"].removeprefix("Input ")
    return f"{place}: {expected}, found {reprlib.repr(first['input'])}"


def _step(key: int | str) -> str:
    """One step of a dotted place; keys that are not short identifiers are quoted and shortened."""
    return str(key) if str(key).isidentifier() and len(str(key)) < _LONGEST else reprlib.repr(key)
