"""Learning to rank: relevance against other properties of the documents of a query."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch
from pydantic import PositiveInt
from safetensors.torch import load_file, save_file

from paretosteer.benchmark import Benchmark, few_calibration, own_model_only
from paretosteer.benchmarks.ranking.ndcg_scores import (
    first_place_gains,
    padded_labels,
    score_rankings,
)
from paretosteer.benchmarks.ranking.policy import Documents, RankingPolicy, Rankings, Scored
from paretosteer.benchmarks.ranking.queries import Query
from paretosteer.benchmarks.ranking.ranking_data import data_digest, known_columns, load_data
from paretosteer.benchmarks.ranking.start_ranker import (
    SEED,
    START_VERSION,
    STEPS,
    check_start,
    train_start,
)
from paretosteer.config.options import BaseOptions, option
from paretosteer.errors import UsageError
from paretosteer.interfaces import Array, Fold, Lists
from paretosteer.metrics import MetricError, Normaliser
from paretosteer.objective import Objective
from paretosteer.plugins.in_use import scoring_code
from paretosteer.policies.conditioning import Conditioning, Unconditioned
from paretosteer.policies.control import Control
from paretosteer.policies.perceptron import Perceptron
from paretosteer.storage.cache import cached
from paretosteer.storage.digest import digest

if TYPE_CHECKING:
    from paretosteer.config.schema import CellConfig
    from paretosteer.config.setting import Setting

PLACES = 10  # ranks of a sampled ranking that are trained on: NDCG@10 ignores the rest


@dataclass(frozen=True)
class Pool:
    """Start-model rankings of one query, with their normalised scores."""

    query: Query
    orders: npt.NDArray[np.int64]  # (samples, n)
    z: Array  # (samples, m)


class Ranking(Benchmark):
    """Rankers that sort the documents of a query; every objective is an NDCG@10.

    The first objective is the relevance labelled in the data. Each auxiliary objective is a
    feature column, graded within the query. The column is removed from the inputs; otherwise the
    ranker could copy it instead of learning it.
    """

    name = "ranking"
    version = "1"
    float32_only = True
    scores_need_labels = True
    main_objective = "relevance"
    feedback: ClassVar[Mapping[str, str]] = {
        "reward": "policy gradient on NDCG@10 of rankings drawn from the Plackett-Luce model",
        "preference": "each query's whole list, labelled by every objective",
        "imitation": "start-model rankings from a query's own top quantile",
    }
    label_forms = ("l1", "softmax")
    steps: ClassVar[Mapping[str, int]] = {"smoke": 4, "quick": 1000, "full": 5000}

    class Options(BaseOptions):
        """Options of the benchmark `ranking`."""

        path: str | None = option(
            None,
            "folder with S1.txt ... S5.txt, Fold1 ... Fold5, or train, vali and test.txt; "
            "null: a synthetic set",
            place=True,
        )
        fold: int = option(1, "fold of the cross-validation", least=1)
        auxiliary: tuple[str, ...] | None = option(
            None,
            "further objectives, as name:column of a feature, which is then not an input; null: "
            "pagerank:41 and inlinks:42 for MQ2007, MQ2008 and the synthetic set",
        )
        grades: int = option(5, "number of grades for an auxiliary column", least=2, most=31)
        hidden: tuple[PositiveInt, ...] = option((64, 32), "widths of the ranker's hidden layers")
        attention: bool = option(False, "self-attention between the documents of a query")

    def __init__(self, options: Options, setting: Setting):
        super().__init__(options, setting)
        setting.set_threads(0)
        if not options.hidden:
            raise UsageError("benchmark.hidden: empty; set the width of at least one layer")
        columns = _columns(options)
        self.objectives = (
            Objective("relevance", "NDCG@10", 0.0, "graded relevance as labelled in the data"),
            *(
                Objective(name, "NDCG@10", 0.0, f"feature {column}, graded within the query")
                for name, column in columns.items()
            ),
        )
        self.data = load_data(options.path, options.fold, columns, options.grades)
        self.network = self._start_network()
        # The start policy is never trained, so one instance is shared by all uses.
        self._start = self.start_policy(Unconditioned(), SEED)
        self._pooled: dict[str, Pool] = {}
        if setting.budget.checks:
            check_start(self._start, self.data.splits["validation"])

    @classmethod
    def training_defaults(cls, options: Options) -> Mapping[str, Any]:
        # No list_size: a list holds all documents of a query.
        return {
            "learning_rate": 3e-3,
            "kappa": 0.03,
            "beta_dpo": 0.1,
            "condition": "features",
        }

    @classmethod
    def model_key(cls, config: CellConfig, options: Options) -> str:
        """Digest of the data of this fold and of the start ranker's training."""
        own_model_only(config)
        data = data_digest(options.path, options.fold, _columns(options), options.grades)
        network = {"hidden": options.hidden, "attention": options.attention}
        steps = config.budget.embedded_steps
        return digest({"data": data, "network": network, "steps": steps, "version": START_VERSION})

    @classmethod
    def objective_versions(cls, options: Options) -> Mapping[str, str]:
        return dict.fromkeys(["relevance", *_columns(options)], "1")

    @property
    def model_name(self) -> str:
        """Name of the data set on which the start ranker is trained."""
        return Path(self.options.path).resolve().name if self.options.path else "synthetic"

    @property
    def fold(self) -> Fold | None:  # type: ignore[override]
        """Fold of the cross-validation, or None if the data have only one."""
        if self.data.folds == 1:
            return None
        return Fold(self.options.fold, self.data.folds, self.data.family)

    @property
    def notes(self) -> Sequence[str]:  # type: ignore[override]
        """Number of queries left out, by reason, and a warning about few calibration queries."""
        few = few_calibration(len(self.data.splits["calibration"]), "queries")
        return [note for note in (self.data.note, few) if note]

    def split(self, name: str) -> Sequence[Query]:
        return self.data.splits[name]

    def start_policy(self, conditioning: Conditioning, seed: int) -> RankingPolicy:
        """Untrained copy of the start ranker with the given conditioning."""
        return RankingPolicy(self.network, conditioning, seed, PLACES)

    @cached_property
    def normaliser(self) -> Normaliser:
        """Moments of the start ranker's scores on the calibration queries."""
        queries = self.prompts("calibration")
        answers = self._start.answer(queries, Control.start(len(queries)), SEED, [0] * len(queries))
        try:
            return Normaliser.fit(self.score(answers), [o.name for o in self.objectives])
        except MetricError as error:
            raise UsageError(f"benchmark.path: {error}") from None

    def score(self, samples: Scored | Rankings) -> Array:
        return score_rankings(samples)

    def lists(self, rng: np.random.Generator, weights: Array, size: int | None) -> Lists:
        """Lists of the documents of training queries: all of them, or a random `size`.

        The labels of an objective are its grades divided by their sum over the list, as in
        ListNet. The reward of a document is its contribution to the query's NDCG at the first
        rank, in normalised units.
        """
        queries = self._drawn(rng, len(weights))
        labels, mask = padded_labels(queries, max(len(q.labels) for q in queries))
        grades = labels  # (lists, D, m)
        start = self._start_scores(queries)
        chosen = None
        if size is not None:
            # Sorting random keys samples documents without replacement. Real documents have keys
            # below 1, so padding (key 2) comes last.
            chosen = np.where(mask, rng.random(mask.shape), 2).argsort(axis=1)[:, :size]
            labels = np.take_along_axis(labels, chosen[..., None], axis=1)
            mask = np.take_along_axis(mask, chosen, axis=1)
            start = start.gather(1, self._tensor(chosen))
        total = labels.sum(axis=1, keepdims=True)  # (lists, 1, m), 0 if no document is graded
        share = np.divide(labels, total, out=np.zeros(labels.shape), where=total > 0)

        def rewards() -> torch.Tensor:
            gains = first_place_gains(grades) / np.array(self.normaliser.std)  # (lists, D, m)
            if chosen is not None:
                gains = np.take_along_axis(gains, chosen[..., None], axis=1)
            return self._tensor(gains).float()

        return Lists(
            Documents(tuple(queries), None if chosen is None else self._tensor(chosen)),
            labels=self._tensor(share).float(),
            start_log_probs=start,
            tokens=int(mask.sum()),
            mask=self._tensor(mask),
            score=rewards,
            ratings=self._tensor(labels).float(),
        )

    def demonstrations(self, rng: np.random.Generator, weights: Array, quantile: float) -> Rankings:
        """One of a query's best start-model rankings per row of weights (rows, m).

        The quantile is taken among `budget.pool_samples` rankings of the same query. A quantile
        across queries would select easy queries instead of good rankings.
        """
        rows = len(weights)
        pools = self._pools(self._drawn(rng, rows))
        z = np.stack([pool.z for pool in pools])  # (rows, samples, m)
        gain = np.einsum("qsm,qm->qs", z, weights)
        count = max(1, round(quantile * gain.shape[1]))
        best = np.argsort(-gain, axis=1, kind="stable")[:, :count]
        index = best[np.arange(rows), rng.integers(count, size=rows)]
        chosen = [pool.orders[i] for pool, i in zip(pools, index, strict=True)]
        return Rankings.of([pool.query for pool in pools], chosen, PLACES, self.setting.device)

    # -- helpers ----------------------------------------------------------------------------

    def _start_network(self) -> Perceptron:
        """Start ranker, trained once and shared by all cells of this fold."""
        o, steps = self.options, self.setting.budget.embedded_steps
        network = Perceptron([self.data.width, *o.hidden, 1], o.attention)

        def make(folder: Path) -> None:
            self.setting.say("training the start ranker on relevance (once; then it is cached)")
            train, validation = self.data.splits["train"], self.data.splits["validation"]
            train_start(network, train, validation, steps or STEPS, self.setting.say)
            save_file(network.state_dict(), folder / "ranker.safetensors")

        key = {"model": self.setting.model_key, **scoring_code(self.name)}
        folder = cached("ranker", key, make)
        network.load_state_dict(load_file(folder / "ranker.safetensors"))
        return network.to(self.setting.device).requires_grad_(False)

    def _pools(self, queries: Sequence[Query]) -> list[Pool]:
        """Start-model rankings of each query with their scores, sampled on first use."""
        count = self.setting.budget.pool_samples
        new = [q for q in {q.id: q for q in queries}.values() if q.id not in self._pooled]
        if new:
            repeated = [query for query in new for _ in range(count)]
            samples = self._start.sample(
                repeated, Control.start(len(repeated)), SEED, [*range(count)] * len(new)
            )
            z = self.normaliser.apply(self.score(samples)).reshape(len(new), count, -1)
            orders = samples.order.cpu().numpy().reshape(len(new), count, -1)
            for query, order, scores in zip(new, orders, z, strict=True):
                self._pooled[query.id] = Pool(query, order[:, : len(query.labels)], scores)
        return [self._pooled[query.id] for query in queries]

    @torch.no_grad()
    def _start_scores(self, queries: Sequence[Query]) -> torch.Tensor:
        return self._start.document_scores(queries, Control.start(len(queries)))[0]


def _columns(options: Ranking.Options) -> dict[str, int]:
    """Auxiliary columns by name; raise UsageError if an entry is malformed or a duplicate."""
    if options.auxiliary is None:
        return dict(known_columns(options.path))
    columns: dict[str, int] = {}
    for entry in options.auxiliary:
        name, _, column = entry.rpartition(":")
        if not name.isidentifier() or not re.fullmatch("[0-9]+", column):
            raise UsageError(
                f"benchmark.auxiliary: found {entry!r}; use name:column, such as pagerank:41"
            )
        if name in {"relevance", *columns} or int(column) in columns.values():
            raise UsageError(
                f"benchmark.auxiliary: {entry!r} repeats a name or a column; use each once"
            )
        columns[name] = int(column)
    if not columns:
        raise UsageError("benchmark.auxiliary: empty; name at least one column")
    return columns
