"""The `evaluate` modules load by path, without a network, and agree with the functions."""

import socket
from pathlib import Path

import evaluate
import numpy as np
import pytest
from rouge_score.rouge_scorer import RougeScorer

import paretosteer.metrics as metrics

HUB = Path(metrics.__file__).parent / "hub"
WEIGHTS = [[1.0, 0.0], [0.5, 0.5], [0.0, 1.0]]
POINTS = [[2.0, 0.5], [1.0, 1.25], [0.25, 1.0]]
OTHER = [[1.5, 1.5], [0.0, 3.0]]
REFERENCE = [-1.0, -1.0]
TEXTS = ["The cats sat on a mat.", "A cat sits on the mat."]


def mean_rouge(kind):
    score = RougeScorer([kind], use_stemmer=True).score
    both = zip(TEXTS, TEXTS[::-1], strict=True)
    return sum(score(other, text)[kind].fmeasure for text, other in both) / 2


CASES = {
    "hypervolume": (
        {"predictions": POINTS, "reference": [0.0, 0.6]},
        {
            "hypervolume": metrics.hypervolume(POINTS, [0.0, 0.6]),
            "error": 0.0,
            "exact": True,
            "points_outside": 1,
        },
    ),
    "controllability": (
        {"predictions": POINTS, "references": WEIGHTS},
        {
            "controllability": metrics.controllability(WEIGHTS, POINTS),
            "somers_d": metrics.somers_d(WEIGHTS, POINTS).tolist(),
        },
    ),
    "expected_utility": (
        {"predictions": POINTS, "references": WEIGHTS},
        {"expected_utility": metrics.expected_utility(WEIGHTS, POINTS)},
    ),
    "steering_regret": (
        {"predictions": POINTS, "references": WEIGHTS},
        {"steering_regret": metrics.steering_regret(WEIGHTS, POINTS)},
    ),
    "utility_loss": (
        {"predictions": POINTS, "references": WEIGHTS, "front": OTHER},
        {
            "utility_loss": metrics.utility_loss(WEIGHTS, POINTS, OTHER).mean,
            "maximum": metrics.utility_loss(WEIGHTS, POINTS, OTHER).maximum,
        },
    ),
    "coverage": (
        {"predictions": POINTS, "others": OTHER},
        {"coverage": metrics.coverage(POINTS, OTHER)},
    ),
    "entanglement": (
        {"predictions": POINTS, "references": WEIGHTS},
        {"entanglement": metrics.entanglement(WEIGHTS, POINTS).tolist()},
    ),
    "igd_plus": (
        {"predictions": POINTS, "front": OTHER},
        {"igd_plus": metrics.igd_plus(POINTS, OTHER)},
    ),
    "mip": (
        {"predictions": POINTS, "references": WEIGHTS, "bounds": [[0.0, -1.0], [2.0, 1.0]]},
        {"mip": metrics.inner_product(WEIGHTS, (np.array(POINTS) - [0, -1]) / 2)},
    ),
    "crd": (
        {"predictions": [*POINTS, *OTHER, [0.0, 0.0]], "references": WEIGHTS + WEIGHTS},
        {
            "crd": metrics.conditional_dispersion(
                np.stack([POINTS, [*OTHER, [0.0, 0.0]]], axis=1),
            )
        },
    ),
    "win_rate": (
        {"predictions": POINTS, "references": WEIGHTS, "others": [*OTHER, [0.0, 2.0]]},
        {"win_rate": 1 / 3},
    ),
    "rouge": (
        {"predictions": TEXTS, "references": TEXTS[::-1]},
        {kind: mean_rouge(kind) for kind in ("rouge1", "rouge2", "rougeL", "rougeLsum")},
    ),
}


@pytest.fixture(scope="module")
def load():
    def refuse(*_):
        raise OSError("a metric must load without a network")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", refuse)
        yield lambda name, **options: evaluate.load(str(HUB / name), **options)


def test_every_module_is_tested():
    assert {path.name for path in HUB.iterdir() if path.is_dir()} - {"__pycache__"} == set(CASES)


@pytest.mark.parametrize("name", CASES)
def test_agrees_with_the_function(load, name):
    inputs, expected = CASES[name]
    assert load(name).compute(**inputs) == expected


def test_rouge_of_each_text_and_without_stems(load):
    kinds = {"rouge_types": ("rouge1",), "use_aggregator": False}
    given = {"predictions": [*TEXTS, ""], "references": ["a cat sat", TEXTS[1], "a cat"]}
    stems = load("rouge").compute(**given, **kinds)["rouge1"]
    words = load("rouge").compute(**given, **kinds, use_stemmer=False)["rouge1"]
    assert stems[1:] == words[1:] == [1.0, 0.0]
    assert stems[0] == pytest.approx(2 / 3) and words[0] == pytest.approx(4 / 9)


def test_arrays_and_single_precision_pass(load):
    points = np.array(POINTS, dtype=np.float32)
    result = load("hypervolume").compute(predictions=points, reference=np.array(REFERENCE))
    assert result["hypervolume"] == metrics.hypervolume(POINTS, REFERENCE)


@pytest.mark.parametrize(
    ("points", "message"),
    [
        ([[1.0, 2.0], [1.0]], "points: is ragged"),
        ([[1.0, float("nan")]], "points: the value at index"),
        ([], "points: is empty"),
    ],
)
def test_bad_input_reaches_the_check(load, points, message):
    with pytest.raises(metrics.MetricError, match=message):
        # In memory: evaluate leaves its cache file locked when a metric raises.
        load("hypervolume", keep_in_memory=True).compute(predictions=points, reference=REFERENCE)
