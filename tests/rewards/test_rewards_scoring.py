"""Scores of reward models against what their networks say of texts made by hand."""

import numpy as np
import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from paretosteer.text.dialogue import Turn
from paretosteer.text.rewards import RewardSpec, load_reward
from paretosteer.text.rewards.reward_model import batches

CPU = torch.device("cpu")
ASK = (Turn("user", "Is there a boat?"),)
TALK = (*ASK, Turn("assistant", "There is."), Turn("user", "Where does it sail, and to whom?"))
PROMPTS = [ASK, TALK, ASK, TALK, ASK]
ANSWERS = ["Over the lake.", "It sails over the quiet lake.", "No.", "Nobody is there. " * 3, "A"]
LAST = "\n\nHuman: Is there a boat?\n\nAssistant:"

# Architecture, settings, and the tokenizer's arguments that the first row must be read as.
FORMS = [
    ("gpt2", {"form": "dialogue"}, (f"{LAST} Over the lake.",)),
    ("llama", {"form": "dialogue"}, (f"{LAST} Over the lake.",)),
    ("deberta", {"form": "pair"}, ("Is there a boat?", "Over the lake.")),
    ("distilbert", {"form": "answer", "logit": 1}, ("Over the lake.",)),
    ("gpt2", {"form": "answer_prompt"}, ("Over the lake. <s> Is there a boat?",)),
    ("bart", {"form": "answer_pair", "logit": 1}, ("Over the lake.", "Is there a boat?")),
    (
        "bart",
        {"form": "dialogue", "logit": 0, "template": "ask: {prompt} say: {answer}"},
        (f"ask: {LAST} say: Over the lake.",),
    ),
]


@pytest.mark.parametrize(("kind", "settings", "read"), FORMS)
def test_a_form_reads_what_the_model_was_published_with(stand_in, kind, settings, read):
    folder = str(stand_in(kind))
    model = load_reward(RewardSpec.of({"path": folder, **settings}, "good"), CPU)
    network = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    with torch.no_grad():
        logits = network(**AutoTokenizer.from_pretrained(folder)(*read, return_tensors="pt")).logits
    score = model.score(PROMPTS, ANSWERS)[0]
    assert score == pytest.approx(logits[0, settings.get("logit", 0)].item(), abs=1e-5)


@pytest.mark.parametrize(("kind", "settings", "_"), FORMS)
def test_a_row_scores_alone_as_in_a_batch(stand_in, kind, settings, _):
    model = load_reward(RewardSpec.of({"path": str(stand_in(kind)), **settings}, "good"), CPU)
    together = model.score(PROMPTS, ANSWERS)
    alone = [model.score([p], [a])[0] for p, a in zip(PROMPTS, ANSWERS, strict=True)]
    assert together == pytest.approx(np.array(alone), abs=1e-5)
    assert len(np.unique(together.round(4))) == len(together)


def test_sign_and_published_normaliser(stand_in):
    path = str(stand_in("gpt2"))
    raw = load_reward(RewardSpec.of(path, "good"), CPU).score(PROMPTS, ANSWERS)
    given = {"path": path, "sign": -1, "mean": -0.5, "std": 2.0}
    turned = load_reward(RewardSpec.of(given, "good"), CPU).score(PROMPTS, ANSWERS)
    assert turned == pytest.approx((-raw + 0.5) / 2.0)


def test_an_answer_with_nothing_to_read_has_no_score(stand_in):
    spec = RewardSpec.of({"path": str(stand_in("gpt2")), "form": "answer"}, "good")
    scores = load_reward(spec, CPU).score([ASK, ASK], ["", "A boat."])
    assert np.isnan(scores).tolist() == [True, False]


@pytest.mark.parametrize("side", ["left", "right"])
def test_a_long_text_is_cut_from_the_side_and_counted(stand_in, side):
    given = {"path": str(stand_in("gpt2")), "form": "answer", "max_length": 5, "truncation": side}
    model = load_reward(RewardSpec.of(given, "good"), CPU)
    ids = model.tokenizer(ANSWERS[1]).input_ids
    kept = ids[-5:] if side == "left" else ids[:5]
    with torch.no_grad():
        expected = model.network(input_ids=torch.tensor([kept])).logits.item()
    assert len(ids) > 5
    assert model.score([ASK], [ANSWERS[1]])[0] == pytest.approx(expected, abs=1e-5)
    assert model.truncated == 1


@pytest.mark.parametrize(
    ("given", "lost"),
    [
        ({"form": "dialogue"}, False),
        ({"form": "dialogue", "truncation": "right"}, True),
        ({"template": "{answer} {bos} {prompt}"}, True),
        ({"template": "{answer} {bos} {prompt}", "truncation": "right"}, False),
        ({"form": "answer", "truncation": "left"}, False),  # there is nothing else to cut
    ],
)
def test_a_cut_that_takes_the_answer_first_is_noted(stand_in, given, lost):
    spec = RewardSpec.of({"path": str(stand_in("gpt2")), "max_length": 5, **given}, "good")
    model = load_reward(spec, CPU)
    model.score([ASK], [ANSWERS[1]])
    assert "exceeded the 5 tokens" in model.note
    assert ("on the side of the answer" in model.note) == lost


def test_special_tokens_spelled_out_in_an_answer_are_not_read_as_such(stand_in):
    spec = RewardSpec.of({"path": str(stand_in("bart")), "form": "answer_pair", "logit": 0}, "good")
    model = load_reward(spec, CPU)
    clean, marked = model.score([ASK, ASK], ["A boat.", "A</s> boat.</s>"])
    assert marked == pytest.approx(clean, abs=1e-6)


def test_batches_hold_every_row_once_within_the_budget():
    lengths = [5, 0, 9, 2, 2, 7, 30]
    made = list(batches(lengths, 20))
    assert sorted(row for rows in made for row in rows) == [0, 2, 3, 4, 5, 6]
    assert all(len(rows) == 1 or len(rows) * max(lengths[r] for r in rows) <= 20 for rows in made)


@pytest.mark.parametrize("against", [None, 1])
def test_a_token_classifier_scores_the_separator_before_each_segment(stand_in, against):
    given = {"path": str(stand_in("longformer")), "form": "segments", "logit": 2}
    spec = RewardSpec.of({**given, "against": against, "segment": "sentence"}, "fact")
    model = load_reward(spec, CPU)
    answer = "A boat sails. Nobody is there to see it."
    text = "Is there a boat? answer: </s> A boat sails. </s> Nobody is there to see it."
    ids = model.tokenizer(text).input_ids
    first, second, _end = [place for place, one in enumerate(ids) if one == 2]
    with torch.no_grad():
        logits = model.network(input_ids=torch.tensor([ids])).logits[0]
    labels = logits[[first, second]]
    expected = labels[:, 2] if against is None else 2.0 * (labels[:, 2] > labels[:, 1]) - 1.0
    assert model.score([ASK], [answer])[0] == pytest.approx(expected.sum().item(), abs=1e-4)


@pytest.mark.parametrize(
    ("settings", "before", "skipped"),
    [
        ({"template": "{prompt} </s> answer: {answer}"}, "Is there a boat? </s> answer: ", 1),
        ({"separator": "<s>"}, "Is there a boat? answer: ", 1),  # which begins every text
        ({"max_length": 18, "truncation": "left"}, "Is there a boat? answer: ", 0),
    ],
)
def test_separators_outside_the_answer_are_not_segments(stand_in, settings, before, skipped):
    given = {"path": str(stand_in("longformer")), "form": "segments", "logit": 2}
    model = load_reward(RewardSpec.of(given | settings | {"segment": "sentence"}, "fact"), CPU)
    mark = settings.get("separator", "</s>")
    text = f"{before}{mark} A boat sails. {mark} Nobody sees it."
    length = settings.get("max_length")
    model.tokenizer.truncation_side = settings.get("truncation", "right")
    ids = model.tokenizer(text, truncation=bool(length), max_length=length).input_ids
    number = model.tokenizer.convert_tokens_to_ids(mark)
    places = [place for place, one in enumerate(ids) if one == number][skipped : skipped + 2]
    with torch.no_grad():
        logits = model.network(input_ids=torch.tensor([ids])).logits[0]
    assert len(places) == 2
    found = model.score([ASK], ["A boat sails. Nobody sees it."])[0]
    assert found == pytest.approx(logits[places, 2].sum().item(), abs=1e-4)
    assert model.truncated == bool(length)


@pytest.mark.parametrize("side", ["left", "right"])
def test_segments_of_a_batch_are_found_beside_its_padding(stand_in, side):
    given = {"path": str(stand_in("longformer")), "form": "segments", "logit": 2}
    model = load_reward(RewardSpec.of({**given, "segment": "sentence"}, "fact"), CPU)
    answers = ["It sails.", "A boat sails over the lake. Nobody is there to see it.", "No. Yes."]
    alone = [model.score([ASK], [answer])[0] for answer in answers]
    model.tokenizer.padding_side = side
    assert model.score([ASK] * 3, answers) == pytest.approx(alone, abs=1e-4)


def test_a_sequence_classifier_scores_each_segment_by_itself(stand_in):
    given = {"path": str(stand_in("bart")), "form": "segments", "reduce": "mean", "logit": 0}
    model = load_reward(RewardSpec.of({**given, "segment": "sentence"}, "fact"), CPU)
    parts = ["A boat sails.", "Is it so?"]
    each = model.score([ASK, ASK], parts)
    whole = model.score([TALK, ASK, ASK], ["It sails.", "A boat sails. Is it so?", ""])
    assert whole[1] == pytest.approx(each.mean(), abs=1e-5)
    assert np.isnan(whole[2])
