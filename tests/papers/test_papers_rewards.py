"""Objectives against the published code's own way to call their models, and to ROUGE itself."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from paper_rows import comparisons, hh_rlhf, qa_feedback, safe_rlhf, xsum
from rouge_score.rouge_scorer import RougeScorer
from safetensors.torch import load_file
from test_papers_tasks import TASKS
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from paretosteer.benchmarks.papers.scorers import kept_settings, load_scorer, spec_digest, spec_of
from paretosteer.errors import UsageError
from paretosteer.plugins import registry

ROWS = {
    "helpful_assistant": hh_rlhf,
    "reddit_summary": comparisons,
    "long_form_qa": qa_feedback,
    "safe_rlhf": safe_rlhf,
    "xsum": xsum,
    "nli_summary": xsum,
}
ANSWERS = ["They ate rice, and it was good.", "A cook has made soup!", "No. It was bad."]


@pytest.fixture(scope="module")
def scores(hub):
    """Scores of the answers by a task's objective, and the rows that they answer."""

    def scored(task, name):
        kind = registry.load("benchmarks", task)
        other = next(key for key in kind.described if key != name)
        paths = {key: str(hub / path) for key, path in TASKS[task][3].items()}
        spec, _ = kind._specs(kind.Options(objectives=(name, other), rewards=paths))
        rows = [ROWS[task](i) for i in (3, 4, 5)]
        found = load_scorer(spec, torch.device("cpu"))
        return rows, found.score([kind.parse(row) for row in rows], ANSWERS)

    return scored


def logits(hub, name, *texts):
    """Outputs for one text, or a pair of them, as the published code asks for them."""
    tokenizer = AutoTokenizer.from_pretrained(hub / name)
    network = AutoModelForSequenceClassification.from_pretrained(hub / name).eval()
    with torch.no_grad():
        return network(**tokenizer(*texts, return_tensors="pt")).logits[0]


def test_helpful_and_harmless_read_the_dialogue_and_are_standardised(scores, hub):
    for name, mean, std in (("helpful", -0.015, 1.407), ("harmless", -0.947, 1.920)):
        rows, found = scores("helpful_assistant", name)
        path = f"Ray2333/gpt2-large-{name}-reward_model"
        for row, answer, score in zip(rows, ANSWERS, found, strict=True):
            asked = row["chosen"].removesuffix(" You heat it.")
            raw = float(logits(hub, path, f"{asked} {answer}")[0])
            assert score == pytest.approx((raw - mean) / std, abs=1e-5)


def test_humour_reads_the_answer_alone(scores, hub):
    _, found = scores("helpful_assistant", "humour")
    expected = [float(logits(hub, "mohameddhiab/humor-no-humor", a)[1]) for a in ANSWERS]
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_models_of_summaries_read_post_and_summary_each_in_its_way(scores, hub):
    asked = "### Instruction: Generate a one-sentence summary of this post. ### Input:"
    ways = {
        "preferred": lambda post, answer: (f"{answer} <s> {post}",),
        "liked": lambda post, answer: (f"{asked} {post} ### Response:", answer),
        "faithful": lambda post, answer: (answer, post),
    }
    for name, way in ways.items():
        rows, found = scores("reddit_summary", name)
        path = TASKS["reddit_summary"][3][name]
        for row, answer, score in zip(rows, ANSWERS, found, strict=True):
            post = row["info"]["post"].replace("\n", " ").strip()
            outputs = logits(hub, path, *way(post, answer))
            assert score == pytest.approx(float(outputs[int(name == "faithful")]), abs=1e-5)


def test_segments_count_and_completeness_is_scaled(scores, hub):
    _, relevance = scores("long_form_qa", "relevance")
    _, factuality = scores("long_form_qa", "factuality")
    # One clause each (none has five words before its comma and after); the last has two sentences.
    np.testing.assert_allclose(np.abs(relevance[:2]), 0.3)
    np.testing.assert_allclose(np.abs(factuality[:2]), 0.5)
    assert np.abs(factuality[2]) in (0.0, 1.0)
    rows, found = scores("long_form_qa", "completeness")
    for row, answer, score in zip(rows, ANSWERS, found, strict=True):
        raw = float(logits(hub, "comp_rm", f"{row['text']} answer: {answer}")[0])
        assert score == pytest.approx(0.3 * (raw + 0.44677690555995353) / 8.301160619054132)


def test_another_form_does_without_the_published_settings_of_segments():
    published = registry.load("benchmarks", "long_form_qa").Options().rewards["relevance"]
    spec = spec_of("relevance", {"path": "mine", "form": "answer"}, published)
    assert (spec.form, spec.segment, spec.separator) == ("answer", "sentence", None)
    assert spec_of("relevance", {"path": "mine"}, published).segment == "clause"


ASKED = "How long does dish 3 take?"


def test_relevance_reads_the_question_alone():
    kind = registry.load("benchmarks", "long_form_qa")
    item = kind.parse(qa_feedback(3) | {"text": f"question: {ASKED}\n context:  b"})
    assert item.reads["relevance"][0].text == f"question: {ASKED}"
    assert item.reads["factuality"][0].text == f"question: {ASKED} context: b"
    assert item.dialogue[0].text == f"question: {ASKED}\n context:  b"


def test_a_score_model_of_safe_rlhf_is_read_whole_and_costs_count_against(scores, hub):
    """Their head has a name of its own: without the mapping it would be drawn at random."""
    from transformers import LlamaModel

    for name, sign in (("helpful", 1), ("safe", -1)):
        rows, found = scores("safe_rlhf", name)
        folder = hub / TASKS["safe_rlhf"][3][name]
        head = load_file(folder / "model.safetensors")["score_head.weight"]
        tokenizer, body = AutoTokenizer.from_pretrained(folder), LlamaModel.from_pretrained(folder)
        for row, answer, score in zip(rows, ANSWERS, found, strict=True):
            text = f"BEGINNING OF CONVERSATION: USER: {row['prompt']} ASSISTANT:{answer}"
            with torch.no_grad():
                hidden = body.eval()(**tokenizer(text, return_tensors="pt")).last_hidden_state
            assert score == pytest.approx(sign * float(head[0] @ hidden[0, -1]), abs=1e-4)


def test_rouge_is_that_of_rouge_score(scores):
    rows, found = scores("xsum", "rouge")
    scorer = RougeScorer(["rougeLsum"], use_stemmer=True)
    expected = [
        scorer.score(row["summary"], answer)["rougeLsum"].fmeasure
        for row, answer in zip(rows, ANSWERS, strict=True)
    ]
    assert found.tolist() == expected and max(expected) > 0.3


def test_entailment_is_a_probability(scores, hub):
    rows, found = scores("nli_summary", "entailed")
    path = "MoritzLaurer/DeBERTa-v3-base-mnli-fever-anli"
    for row, answer, score in zip(rows, ANSWERS, found, strict=True):
        outputs = logits(hub, path, row["document"].strip(), answer)
        assert score == pytest.approx(float(outputs.softmax(dim=0)[0]), abs=1e-5)


def test_without_rouge_score_the_extra_is_named(monkeypatch):
    """`evaluate` looks for what a module imports before it runs it."""
    monkeypatch.setitem(sys.modules, "rouge_score", None)
    monkeypatch.setitem(sys.modules, "rouge_score.rouge_scorer", None)
    kind = registry.load("benchmarks", "xsum")
    with pytest.raises(
        UsageError, match=r"rewards\.rouge\.metric: .*pip install 'paretosteer\[rou"
    ):
        load_scorer(kind._specs(kind.Options())[0], torch.device("cpu"))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"metric": "rogue", "key": "rougeL"}, "does not exist; set it to one of the packaged"),
        ({"metric": "rouge", "keys": "rougeL"}, "keys is not a setting of a metric; did you mean"),
    ],
)
def test_a_metric_that_is_not_there(given, message):
    kind = registry.load("benchmarks", "xsum")
    with pytest.raises(UsageError, match=rf"benchmark\.rewards\.rouge.*{message}"):
        load_scorer(kind._specs(kind.Options(rewards={"rouge": given}))[0], torch.device("cpu"))


def test_the_digest_of_a_metric_covers_the_files_that_it_reads(tmp_path, monkeypatch):
    folder = tmp_path / "length"
    folder.mkdir()
    (folder / "length.py").write_text("import own_helper\nfrom .weights import SCALE\n")
    (folder / "weights.py").write_text("SCALE = 1\n")
    (folder / "table.json").write_text("{}")
    (tmp_path / "own_helper.py").write_text("X = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    spec = spec_of("rouge", {"metric": str(folder), "key": "length"}, {})
    found = {spec_digest(spec)}
    for file in (folder / "weights.py", folder / "table.json", tmp_path / "own_helper.py"):
        file.write_text(file.read_text() + "\n")
        found.add(spec_digest(spec))
    assert len(found) == 4
    assert spec_digest(spec) in found


def test_published_settings_that_score_another_model_are_noted():
    published = {"path": "org/published", "mean": 0.5, "std": 2.0, "form": "pair"}

    def note(given):
        return kept_settings(spec_of("helpful", given, published), published)

    said = "helpful: scored by /mine with the settings published for org/published"
    assert note("/mine") == f"{said} (form 'pair', mean 0.5, std 2.0)."
    assert note({"path": "/mine", "mean": 0.0}) == f"{said} (form 'pair', std 2.0)."
    assert note({"path": "/mine", "form": "dialogue", "mean": 0.0, "std": 1.0}) is None
    assert note({"sign": -1}) is None
    open_path = {**published, "path": None}
    own = kept_settings(spec_of("helpful", "/mine", open_path), open_path)
    assert own is not None and "settings published by the paper (form 'pair'" in own
    merged = {**published, "path": "/mine", "std": 1.0}  # as Hydra gives a new path
    assert note(merged).endswith("(form 'pair', mean 0.5).")


@pytest.mark.parametrize("arguments", ["use_aggregator=False", "**options", ""])
def test_a_metric_must_give_one_value_per_prediction(tmp_path, arguments):
    folder = tmp_path / "length"
    folder.mkdir()
    (folder / "length.py").write_text(
        "import datasets\nimport evaluate\n\n\nclass Length(evaluate.Metric):\n"
        "    def _info(self):\n"
        "        features = {n: datasets.Value('string') for n in ('predictions', 'references')}\n"
        "        return evaluate.MetricInfo("
        "features=datasets.Features(features), description='', citation='')\n\n"
        f"    def _compute(self, predictions, references, {arguments}):\n"
        "        return {'length': [len(text) for text in predictions]}\n"
    )
    spec = spec_of("rouge", {"metric": str(folder), "key": "length"}, {})
    if arguments:
        row = SimpleNamespace(reference="one")
        scorer = load_scorer(spec, torch.device("cpu"))
        assert scorer.score([row, row], ["four", "no"]).tolist() == [4, 2]
    else:
        with pytest.raises(
            UsageError, match=r"does not take use_aggregator=False; add that argument"
        ):
            load_scorer(spec, torch.device("cpu"))
