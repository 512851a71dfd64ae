"""Measurements of a finished cell, from its files: scores, values in standard units, drift."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from paretosteer.errors import ParetosteerError, first_line
from paretosteer.metrics.normalise import Normaliser
from paretosteer.storage.atomic import regular

if TYPE_CHECKING:
    import pandas as pd

    from paretosteer.cells import record
    from paretosteer.cells.cell import Cell

KEYS = ["point", "prompt_id", "sample"]  # of a sample within its cell
MOST = 1e12  # larger scores and drifts are refused: volumes of such would be infinite
MOST_ROWS = 10**8  # a few bytes of Parquet can claim any number of rows
_SCORES = "scores.parquet"
_DRIFT = "drift.parquet"
_JUDGED = "judge.parquet"


class UnreadableError(ParetosteerError):
    """A file of a cell is not what its record says; the message ends with the remedy."""

    def __init__(self, fault: str):
        super().__init__(f"{fault}; run the cell again")


@dataclass(frozen=True)
class Scores:
    """A cell's scores in raw units, samples of a prompt averaged.

    `means` is (points, prompts, m), prompts in the order of `prompts`. `covariances` (points, m, m)
    are of single samples; NaN at a point with one sample.
    """

    prompts: tuple[str, ...]
    means: npt.NDArray[np.float64]
    covariances: npt.NDArray[np.float64]


def read_scores(cell: "Cell") -> Scores:
    """Scores of a finished cell.

    Raises
    ------
    UnreadableError
        If `scores.parquet` is absent, lacks a column, point or prompt, or holds what is no
        finite number.
    """
    return _by_prompt(cell, _SCORES, cell.results.objective_names)


def read_values(cell: "Cell") -> npt.NDArray[np.float64]:
    """A finished cell's scores as every figure uses them, (points, prompts, m).

    Raises
    ------
    UnreadableError
        As `read_scores` and `values_of`.
    """
    return values_of(cell, read_scores(cell))


def values_of(cell: "Cell", scores: Scores) -> npt.NDArray[np.float64]:
    """A finished cell's raw scores as every figure uses them, (points, prompts, m).

    In start-model standard units; where the record has a `kl_coefficient` κ also regularised:
    minus κ times the prompt's KL in nats per sample, samples averaged.

    Raises
    ------
    UnreadableError
        If a KL that is needed is absent or not a finite number.
    """
    values = _normaliser(cell.results.normaliser).apply(scores.means)
    coefficient = cell.results.kl_coefficient
    return values - coefficient * _kl(cell, scores.prompts) if coefficient else values


def metric_inputs(
    record: "record.ScoredRecord", raw: npt.NDArray[np.float64]
) -> dict[str, npt.NDArray[np.float64]]:
    """Inputs of metrics by name that are known at each point besides its values and drift.

    `raw` (points, m) are means of the raw scores. They are given whole and, where the record names
    a main objective, apart from the others. The measures of the benchmark come from the record.

    Raises
    ------
    UnreadableError
        If a measure does not have one row per point, all of one length.
    """
    for name in record.uneven_measures:
        raise UnreadableError(
            f"record.json: measures.{name} is not one row for each of {len(record.points)} "
            "points, of one length"
        )
    inputs = {name: np.array(rows) for name, rows in record.measures.items()}
    inputs["raw_points"] = raw
    if record.main_objective in record.objective_names:
        main = record.objective_names.index(record.main_objective)
        inputs |= {"main_scores": raw[:, main], "auxiliary_points": np.delete(raw, main, axis=1)}
    return inputs


def read_judged(cell: "Cell") -> npt.NDArray[np.float64] | None:
    """A finished cell's points by reward models that were not used in training, (points, m).

    In the start model's standard units under those; None for a cell that was not judged.

    Raises
    ------
    UnreadableError
        As `read_scores`.
    """
    models = cell.results.reward_models
    if models is None or models.judge_normaliser is None:
        return None
    means = _by_prompt(cell, _JUDGED, cell.results.objective_names).means.mean(axis=1)
    return _normaliser(models.judge_normaliser).apply(means)


def read_samples(folder: Path) -> "pd.DataFrame":
    """Samples of a cell, one row each; empty where its benchmark shows none."""
    import pandas as pd

    # Iterating a file splits at line feeds alone; texts may hold other separators of lines.
    with regular(folder / "samples.jsonl").open(encoding="utf-8", newline="\n") as stream:
        return pd.DataFrame([json.loads(line) for line in stream])


def same_scores(one: "Cell", other: "Cell") -> bool:
    """True if two finished cells have the same points with the same scores, to the bit.

    Raises
    ------
    UnreadableError
        If a `scores.parquet` is absent or lacks a column.
    """
    if one.results.points != other.results.points:
        return False
    return _sorted_scores(one).equals(_sorted_scores(other))


def read_drift(cell: "Cell") -> dict[str, npt.NDArray[np.float64]] | None:
    """Means of `kl`, `start_nll` (nats per sample) and `tokens`, (points,); None: not measured.

    Raises
    ------
    UnreadableError
        If `drift.parquet` lacks a column or point, or holds what is no finite number.
    """
    path, names = cell.path / _DRIFT, ("kl", "start_nll", "tokens")
    if not path.exists():
        return None
    columns = _read_columns(path, ("point", *names))
    points = _numbers(columns["point"], _DRIFT).astype(np.intp)
    count = len(cell.results.points)
    if set(range(count)) - set(points.tolist()):
        raise UnreadableError(f"{_DRIFT}: lacks some of the record's points")
    return {name: _means(points, _numbers(columns[name], _DRIFT), count) for name in names}


def _normaliser(constants: "record.Normaliser") -> Normaliser:
    return Normaliser(constants.mean, constants.std)


def _sorted_scores(cell: "Cell") -> "pd.DataFrame":
    """Scores by point and prompt; samples are in arbitrary order in the file."""
    import pandas as pd

    columns = ["point", "prompt_id", *cell.results.objective_names]
    read = _read_columns(cell.path / _SCORES, columns)
    frame = pd.DataFrame({name: read[name].to_numpy() for name in columns})
    named = frame.assign(prompt_id=frame["prompt_id"].astype(str))
    return named.sort_values(columns, ignore_index=True)


def _kl(cell: "Cell", prompts: tuple[str, ...]) -> npt.NDArray[np.float64]:
    """KL from the start model by point and prompt, (points, prompts, 1)."""
    if not (cell.path / _DRIFT).exists():
        raise UnreadableError(f"{_DRIFT}: is absent, but points are regularised by the KL in it")
    drift = _by_prompt(cell, _DRIFT, ["kl"])
    if drift.prompts != prompts:
        raise UnreadableError(f"{_DRIFT}: has other prompts than the scores")
    return drift.means


def _by_prompt(cell: "Cell", name: str, columns: Sequence[str]) -> Scores:
    """Means over samples for every point with every prompt, prompts ascending."""
    read = _read_columns(cell.path / name, ["point", "prompt_id", *columns])
    if not len(read["point"]):
        raise UnreadableError(f"{name}: is empty")
    values = [_numbers(read[column], name) for column in columns]
    points, count = _numbers(read["point"], name), len(cell.results.points)
    prompts, places = np.unique(_texts(read["prompt_id"], name), return_inverse=True)
    pairs = np.unique(points * len(prompts) + places)
    if not np.array_equal(pairs, np.arange(count * len(prompts))):
        raise UnreadableError(
            f"{name}: has {len(pairs)} pairs of point and prompt where the record's "
            f"{count} points and {len(prompts)} prompts make {count * len(prompts)}"
        )
    at = points.astype(np.intp) * len(prompts) + places
    means = np.stack([_means(at, each, len(pairs)) for each in values], axis=1)
    return Scores(
        tuple(prompts.tolist()),
        means.reshape(count, len(prompts), len(columns)),
        _covariances(points.astype(np.intp), values, count),
    )


def _covariances(
    at: npt.NDArray[np.intp], values: Sequence[npt.NDArray[np.float64]], count: int
) -> npt.NDArray[np.float64]:
    """Covariances (count, m, m) of values, m of (n,), that belong to places `at` (n,)."""
    centred = [each - _means(at, each, count)[at] for each in values]
    sizes = np.bincount(at, minlength=count)
    found = np.empty((count, len(values), len(values)))
    with np.errstate(divide="ignore", invalid="ignore"):
        for i, one in enumerate(centred):
            for j, other in enumerate(centred[: i + 1]):
                products = np.bincount(at, weights=one * other, minlength=count) / (sizes - 1)
                found[:, i, j] = found[:, j, i] = products
    return found


def _means(
    at: npt.NDArray[np.intp], values: npt.NDArray[np.float64], count: int
) -> npt.NDArray[np.float64]:
    """Means (count,) of values (n,) that belong to places `at` (n,)."""
    sums = np.bincount(at, weights=values, minlength=count)
    return sums[:count] / np.bincount(at, minlength=count)[:count]


def _numbers(column: Any, name: str) -> npt.NDArray[np.float64]:
    """A column of finite numbers, none beyond MOST."""
    import pyarrow as pa

    try:
        values = np.asarray(column.cast(pa.float64()).to_numpy(), dtype=np.float64)
    except (ValueError, pa.ArrowException):
        values = np.array([np.nan])
    if not (np.abs(values) <= MOST).all():
        raise UnreadableError(f"{name}: holds something that is not a finite number up to {MOST:g}")
    return values


def _texts(column: Any, name: str) -> npt.NDArray[np.str_]:
    """A column as text."""
    import pyarrow as pa

    if column.null_count:
        raise UnreadableError(f"{name}: has rows without a prompt_id")
    return np.asarray(column.cast(pa.string()).to_numpy(), dtype=np.str_)


def _read_columns(path: Path, columns: Sequence[str]) -> Mapping[str, Any]:
    """Columns of a Parquet file by name, and none of its others."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(regular(path)) as file:
            if file.metadata.num_rows > MOST_ROWS:
                raise ValueError(f"has {file.metadata.num_rows} rows, more than {MOST_ROWS}")
            table = file.read(list(columns), use_threads=False)
    except (OSError, ValueError, pa.ArrowException) as error:
        raise UnreadableError(f"{path.name}: {first_line(error)}") from None
    absent = [column for column in columns if column not in table.column_names]
    if absent:
        raise UnreadableError(f"{path.name}: has no column {', '.join(absent)}")
    return {column: table[column] for column in columns}
