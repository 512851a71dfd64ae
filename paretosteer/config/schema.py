"""Schema of the resolved configuration of one cell, as composed by Hydra."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
    model_validator,
)

from paretosteer import simplex
from paretosteer.errors import UsageError, did_you_mean
from paretosteer.interfaces import Array

Count = Annotated[int, Field(ge=1)]


class _Section(BaseModel):
    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, allow_inf_nan=False, protected_namespaces=()
    )


class Plugin(_Section):
    """A method or a benchmark; its own `Options` class checks its options."""

    model_config = ConfigDict(extra="allow")

    name: Annotated[str, Field(pattern=r"^\w[\w.-]*$")]  # also names a folder

    @property
    def values(self) -> dict[str, Any]:
        """`name` and all configured options."""
        return self.model_dump()


class Model(_Section):
    """Start model: embedded, or a Hugging Face folder, GGUF file or hub name at `path`."""

    name: Literal["embedded", "hf"]
    path: str | None
    pad_token: str | None  # for tokenizers without one: `eos`, or any token
    revision: str | None = None  # branch, tag or commit of a hub name

    @model_validator(mode="after")
    def _path_when_needed(self) -> Model:
        if self.name == "hf" and not self.path:
            raise UsageError(
                "model.path: required with model=hf; set it to a folder, a GGUF file or a hub name"
            )
        if self.name == "embedded" and self.revision:
            raise UsageError(
                f"model.revision: {self.revision!r} is not used with model=embedded; add model=hf"
            )
        if self.name == "embedded" and self.path:
            raise UsageError(
                f"model.path: {self.path!r} is not used with model=embedded; add model=hf"
            )
        return self


class Budget(_Section):
    """Amount of work of a cell. The cap on optimiser steps covers everything that it trains."""

    name: str
    steps: Count | None  # optimiser steps; null: the benchmark's default for this budget
    prompts: Count  # prompts in one optimiser step
    samples: Count  # samples of each prompt in one optimiser step
    pool_samples: Count  # start-model samples per training prompt, for offline feedback
    calibration_samples: Count  # start-model samples per calibration prompt, for the normaliser
    validation_prompts: Count | None  # null: all
    test_prompts: Count | None  # null: all
    test_samples: Count
    eval_rows: Count | None  # batch size of sampling; null: as many as memory allows
    embedded_steps: Count | None  # training steps of the embedded model; null: its own default
    checks: bool  # refuse a start model that is too poor for meaningful results

    @property
    def rows(self) -> int:
        """Samples in one optimiser step."""
        return self.prompts * self.samples


class _Grid(_Section):
    """Preferences to evaluate."""

    def points(self, objectives: int) -> Array:
        """Preferences (k, m); UsageError if there are none for this number of objectives."""
        raise NotImplementedError

    def size(self, objectives: int) -> int | None:
        """Number of preferences, without making them; None if it is not known."""
        return None

    def content(self, objectives: int) -> dict[str, Any]:
        """Everything that the preferences depend on, for digests."""
        return self.model_dump()

    @property
    def notes(self) -> tuple[str, ...]:
        """Remarks to show beside the figures."""
        return ()


class Lattice(_Grid):
    """Simplex lattice; `divisions` null uses the default for the number of objectives."""

    name: Literal["lattice"]
    divisions: Count | None

    def points(self, objectives: int) -> Array:
        """Lattice points."""
        return simplex.lattice(objectives, self.divisions)

    def size(self, objectives: int) -> int:
        """Number of lattice points."""
        return simplex.lattice_size(objectives, self.divisions)


class RandomPreferences(_Grid):
    """Uniform draws from the simplex."""

    name: Literal["random"]
    count: Count
    seed: Annotated[int, Field(ge=0)]

    def points(self, objectives: int) -> Array:
        """Draws."""
        return simplex.random_points(objectives, self.count, self.seed)

    def size(self, objectives: int) -> int:
        """As configured."""
        return self.count


class PreferenceFile(_Grid):
    """Preferences from a text file, one a line."""

    name: Literal["file"]
    path: str

    def points(self, objectives: int) -> Array:
        """Lines of the file."""
        return simplex.read_file(Path(self.path), objectives)

    def content(self, objectives: int) -> dict[str, Any]:
        """Lines of the file, which may be edited, and not its path."""
        return {"name": self.name, "points": self.points(objectives).tolist()}


class Parm36(_Grid):
    """PARM's grid for three objectives."""

    name: Literal["parm36"]

    def points(self, objectives: int) -> Array:
        """The 36 points."""
        return simplex.parm36(objectives)

    def size(self, objectives: int) -> int:
        """36, or 0 for another number of objectives."""
        return 36 if objectives == 3 else 0


class Ric13(_Grid):
    """RiC's grid for three objectives; `published` starts from its rounded centre."""

    name: Literal["ric13"]
    published: bool

    def points(self, objectives: int) -> Array:
        """The 13 points."""
        return simplex.ric13(objectives, self.published)

    def size(self, objectives: int) -> int:
        """13, or 0 for another number of objectives."""
        return 13 if objectives == 3 else 0

    @property
    def notes(self) -> tuple[str, ...]:
        """What became of the rounded centre."""
        if not self.published:
            return ()
        return (
            "The released grid has (0.33, 0.33, 0.33), which sums to 0.99 and is off the "
            "simplex; it is divided by its sum, so the point is (1/3, 1/3, 1/3).",
        )


class NoTracking(_Section):
    """Write figures to the cell's folder only."""

    name: Literal["none"]


class WandbTracking(_Section):
    """Send figures to wandb too. Null leaves a value to wandb's environment variables."""

    name: Literal["wandb"]
    project: str | None
    entity: str | None
    group: str | None
    mode: Literal["online", "offline", "disabled"] | None


class EvaluationOptions(_Section):
    """How a trained method is sampled on the test prompts."""

    # Whether the noise of a sample depends on seed, prompt and sample number alone, so that all
    # methods and preferences meet the same; false is for studies of that.
    common_noise: bool = True


class NativeEngine(_Section):
    """Write samples with our own loop."""

    name: Literal["native"]

    @property
    def of_training(self) -> str | None:
        """Name of another engine that writes the samples of training: none."""
        return None


class VLLMEngine(_Section):
    """Write samples with vLLM, one process beside this one. Only `name` changes figures."""

    name: Literal["vllm"]
    rollouts: bool  # also the samples of reward feedback, in training
    tensor_parallel: Count  # GPUs that share the layers
    memory_share: Annotated[float, Field(gt=0, le=1)]  # of each GPU, for weights, adapters, cache
    cache_gb: Annotated[float, Field(gt=0)] | None  # key-value cache; null: 1 on a CPU, else vLLM's
    slots: Count | None  # adapters in one batch; null: as many as memory allows
    rows: Count | None  # most rows in one batch; null: vLLM's default
    context: Count | None  # most tokens of prompt and response; null: the model's
    eager: bool | None  # no compilation and no CUDA graphs; null: on a CPU

    @property
    def of_training(self) -> str | None:
        """Name of the engine if it writes the samples of training too."""
        return self.name if self.rollouts else None


class ReportOptions(_Section):
    """Options of the report that a run or sweep ends with."""

    # (m,), raw units: where the column `hypervolume_raw` starts; null: no such column.
    raw_reference: Annotated[list[float], Field(min_length=2)] | None = None


Preferences = Annotated[
    Lattice | RandomPreferences | PreferenceFile | Parm36 | Ric13, Field(discriminator="name")
]
Tracking = Annotated[NoTracking | WandbTracking, Field(discriminator="name")]
Engine = Annotated[NativeEngine | VLLMEngine, Field(discriminator="name")]
NATIVE = NativeEngine(name="native")
ENGINE_LOG = "engine.log"  # in the cell's folder; no result, so records do not name it


class CellConfig(_Section):
    """Configuration of one cell, as stored in `config.yaml` and `record.json`."""

    method: Plugin
    benchmark: Plugin
    model: Model
    budget: Budget
    preferences: Preferences
    tracker: Tracking
    engine: Engine = NATIVE
    seed: Annotated[int, Field(ge=0, lt=2**64)]  # torch's range of seeds
    device: Annotated[str, Field(pattern=r"^(auto|cpu|mps|cuda(:\d+)?)$")]
    dtype: Literal["auto", "float32", "bfloat16"]  # a plan resolves `auto`
    gradient_checkpointing: bool = False  # cells from before this setting do without
    threads: Count | None  # torch's CPU threads; null: one for a small model
    evaluation: EvaluationOptions = EvaluationOptions()
    sweep_dir: Annotated[str, Field(min_length=1)]
    checkpoint_seconds: Annotated[float, Field(ge=0)] = 60.0
    score_seconds: Annotated[float, Field(gt=0)] | None = 60.0  # per sample; null: no limit
    # These two concern a single command and are not stored. The report's options, and whether to
    # run cells that have a record again.
    report: Annotated[ReportOptions, Field(exclude=True)] = ReportOptions()
    overwrite: Annotated[Literal["never", "failed"], Field(exclude=True)] = "failed"

    @classmethod
    def parse(cls, values: Mapping[str, Any]) -> CellConfig:
        """Check a resolved configuration; raise UsageError naming the first wrong key."""
        try:
            config = cls.model_validate(values)
        except ValidationError as error:
            raise UsageError(_line(error, values)) from None
        _check_keys(config.method.values, "method")
        _check_keys(config.benchmark.values, "benchmark")
        return config

    @model_serializer(mode="wrap")
    def _without_usual_evaluation(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out the usual evaluation: cells with and without the section are the same."""
        content: dict[str, Any] = dump(self)
        if self.evaluation == EvaluationOptions():
            content.pop("evaluation", None)
        return content

    @property
    def folder(self) -> Path:
        """Folder of the cells of this benchmark and method."""
        return Path(self.sweep_dir) / self.benchmark.name / self.method.name

    @property
    def command(self) -> str:
        """Command that runs this cell again, with every setting spelled out."""
        return shlex.join(["paretosteer", "run", *self.overrides()])

    def overrides(self) -> Iterator[str]:
        """Hydra overrides that compose this configuration."""
        for key, value in self.model_dump().items():
            if isinstance(value, dict):
                if name := value.pop("name", None):
                    yield f"{key}={quoted(name)}"
                for name, option in value.items():
                    yield from _overrides(f"{key}.{name}", option)
            else:
                yield f"{key}={quoted(value)}"


def _overrides(key: str, option: Any) -> Iterator[str]:
    """Overrides that set one option."""
    if isinstance(option, dict):
        yield f"{key}=null"  # Hydra would merge the mapping into its default
    yield f"{key}={quoted(option)}"


def quoted(value: Any, references: bool = False) -> str:
    """Value in Hydra's override grammar; text is quoted if Hydra could parse it otherwise.

    With `references`, `${key}` in a text still stands for the value of that key.
    """
    if isinstance(value, str):
        if re.fullmatch(r"[A-Za-z_/][A-Za-z0-9_/.-]*", value) and _reads_as_text(value):
            return value
        text = value if references else escaped(value)
        # Hydra halves the backslashes before a quote.
        text = re.sub(r"(\\*)('|\Z)", lambda m: m[1] * 2 + ("\\'" if m[2] else ""), text)
        return f"'{text}'"
    if isinstance(value, list | tuple):
        return f"[{','.join(quoted(item, references) for item in value)}]"
    if isinstance(value, dict):
        pairs = [f"{_key(key)}:{quoted(item, references)}" for key, item in value.items()]
        return "{" + ",".join(pairs) + "}"
    return str(value) if isinstance(value, float) else json.dumps(value)


def escaped(text: str) -> str:
    """Text from which OmegaConf resolves to this one: `\\${` stands for `${`."""
    return re.sub(r"(\\*)\$\{", r"\1\1\\${", text)


def _key(name: Any) -> str:
    """Key of a mapping in Hydra's grammar, which has no quotes for keys."""
    return re.sub(r"([\\()\[\]{}:=, \t])", r"\\\1", name) if isinstance(name, str) else str(name)


def _is_readable(name: Any) -> bool:
    """True if Hydra reads a key of a mapping as the same key."""
    if isinstance(name, bool) or not isinstance(name, str):
        return isinstance(name, int)
    try:
        float(name)
    except ValueError:
        spelled = re.fullmatch(r"[A-Za-z0-9_/+.$%*@?|\\()\[\]{}:=, \t-]+", name)
        return bool(spelled) and _reads_as_text(name) and "${" not in name
    return False


def _check_keys(value: Any, place: str) -> None:
    """UsageError for a key of a mapping that no override can spell."""
    items: Iterable[tuple[Any, Any]] = ()
    if isinstance(value, dict):
        items = value.items()
        for name in value:
            if not _is_readable(name):
                raise UsageError(
                    f"{place}: the name {name!r} cannot be written as an override; use "
                    "letters of a to z, digits, '_' and '-'"
                )
    elif isinstance(value, list | tuple):
        items = enumerate(value)
    for name, item in items:
        _check_keys(item, f"{place}.{name}")


def _reads_as_text(value: str) -> bool:
    return value.lower().lstrip("+-") not in {"true", "false", "null", "nan", "inf"}


def _line(error: ValidationError, values: Mapping[str, Any]) -> str:
    """First error of a configuration, in one line."""
    first = error.errors()[0]
    steps = [str(step) for step in first["loc"]]
    if len(steps) > 2:  # pydantic inserts the member of a union between section and key
        del steps[1]
    key = ".".join(steps)
    if first["type"] == "missing":
        return f"{key}: missing from the configuration; add it"
    if first["type"] == "extra_forbidden":
        section = values[steps[0]] if len(steps) > 1 else values
        return f"{key}: not a setting; {did_you_mean(steps[-1], section.keys() - {steps[-1]})}"
    expected = first["msg"].removeprefix("Input should be ")
    if key == "overwrite" and first["input"] == "all":
        return "overwrite: 'all' is not a setting; pass --overwrite all on the command line"
    return f"{key}: found {first['input']!r}, expected {expected}"
