"""RiC: preference to targets, targets in words, examples with their own scores, filtered rounds."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from paretosteer import make_benchmark, make_method, make_trainer
from paretosteer.conformance import check_method, faults
from paretosteer.errors import UnsupportedError, UsageError
from paretosteer.policies.conditioning import Unconditioned
from paretosteer.policies.control import Control
from paretosteer.training.draws import Draws
from paretosteer.training.score_targets import (
    TargetText,
    edge_targets,
    normal_range,
    preference_targets,
)
from paretosteer.training.snapshots import Journal
from paretosteer.training.target_imitation import TargetImitation

LOW, HIGH = -4 * np.ones(3), 4 * np.ones(3)
TEXT = ("benchmark=stories", "benchmark.max_new_tokens=6", "benchmark.min_new_tokens=0")


def bandit(**values):
    return make_benchmark("bandit", **{"contexts": 4, "actions": 4} | values)


def trained(benchmark, steps=20, **values):
    method = make_method("ric", **{"offline": 50} | values)
    trainer = make_trainer(benchmark, seed=0, steps=steps)
    method.train(benchmark, trainer)
    return method, trainer


# -- preference to targets -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("form", "middle", "edge"),
    [("l2", 0.6188, 1.6569), ("linf", 4.0, 4.0), ("linear", -4 / 3, 0.0)],
)
def test_published_maps_of_preferences_to_targets(form, middle, edge):
    mu = np.array([[1, 0, 0], [0.5, 0.5, 0], [1 / 3] * 3])
    targets = preference_targets(mu, LOW, HIGH, form)
    expected = [[4, -4, -4], [edge, edge, -4], [middle] * 3]
    np.testing.assert_allclose(targets, expected, atol=5e-5)
    assert mu[0].tolist() == [1, 0, 0]  # the caller's are unchanged


def test_a_map_respects_every_objectives_own_range():
    low, high = np.array([-1.0, 0.0]), np.array([2.0, 0.5])
    for form in ("l2", "linf", "linear"):
        targets = preference_targets(np.eye(2), low, high, form)
        np.testing.assert_allclose(targets, [[2, 0], [-1, 0.5]])


def test_targets_of_a_round_lie_on_the_edges_of_the_box():
    low, high = np.array([-1.0, 0.0, 5.0]), np.array([3.0, 0.5, 6.0])
    targets = edge_targets(np.random.default_rng(0), 20_000, low, high)
    assert ((targets == high).sum(axis=1) == 2).all()
    way = ((targets - low) / (high - low)).min(axis=1)
    assert way.mean() == pytest.approx(1 / 4, abs=0.01)  # the least of three uniform numbers
    lowered = (targets < high).mean(axis=0)
    np.testing.assert_allclose(lowered, 1 / 3, atol=0.02)  # whatever the objectives' units


def test_the_published_range_is_about_four_deviations_and_seeded():
    low, high = normal_range(3)
    assert (low < -3.5).all() and (low > -6).all() and (high > 3.5).all() and (high < 6).all()
    assert len({*high.tolist()}) == 3  # another for each objective
    np.testing.assert_array_equal(normal_range(3), (low, high))


# -- words ----------------------------------------------------------------------------------


def test_targets_in_words():
    targets = np.array([[1.26, -0.04], [np.nan, 2.0]])
    names = ["helpful", "harmless"]
    assert TargetText(names, "{name}: {value}; ")(targets) == [
        "helpful: 1.3; harmless: 0.0; ",
        "harmless: 2.0; ",
    ]
    published = TargetText(names, "<rm{number}_score> {value} ", 2)
    assert published(targets)[0] == "<rm1_score> 1.26 <rm2_score> -0.04 "
    edges = np.array([[-1.0, 0.0], [1.0, 2.0]])  # three levels
    levels = TargetText(names, "<{name}: {value}> ", edges=edges)
    assert levels(targets) == ["<helpful: 2> <harmless: 0> ", "<harmless: 2> "]


@pytest.mark.parametrize("template", ["", "{name}", "{value", "{score}", "{}", "{value.x}"])
def test_a_template_that_states_no_value_is_refused(template):
    with pytest.raises(UsageError, match=r"method\.template: found "):
        make_method("ric", template=template).bind(bandit().objectives)


# -- examples -------------------------------------------------------------------------------


def test_examples_are_stored_with_their_own_normalised_scores():
    benchmark = bandit()
    feedback, policy = TargetImitation(benchmark), benchmark.start_policy(Unconditioned(), 0)
    stored = []
    for seed, rows in ((0, 30), (1, 20)):
        prompts = [benchmark.prompts("train")[i % 4] for i in range(rows)]
        samples = policy.sample(prompts, Control.start(rows), seed, list(range(rows)))
        feedback.add(samples)
        stored += zip(samples.contexts, samples.action.tolist(), strict=True)
    z = benchmark.normaliser.apply(benchmark.outcomes([context for context, _ in stored]))
    by_hand = z[np.arange(50), [action for _, action in stored]]
    np.testing.assert_allclose(feedback.scores, by_hand)
    # A batch: targets are those of the examples that it learns from, from both stores.
    draws = feedback.draw(np.arange(20, 40))(np.random.default_rng(0), 200)
    assert {*draws.examples} == {*range(20, 40)}
    np.testing.assert_array_equal(draws.targets, by_hand[draws.examples])
    batch = feedback.collect(policy, draws, Control.start(200), np.random.default_rng(0))
    assert len(batch.samples) == 2 and batch.terms == batch.tokens == 200
    log_policy = policy.log_policy([stored[i][0] for i in draws.examples], Control.start(200))
    actions = [stored[i][1] for i in draws.examples]
    expected = -np.mean(log_policy.detach().double().numpy()[np.arange(200), actions])
    found = feedback.loss(policy, batch, draws, Control.start(200))
    assert float(found) == pytest.approx(expected, abs=1e-6)
    # In parts, as when memory runs out, it is the same.
    parts = [
        feedback.collect(policy, part, Control.start(len(part.weights)), None)
        for part in draws.parts(3)
    ]
    assert sum(part.terms for part in parts) == 200


def test_targets_are_left_out_at_random():
    feedback = TargetImitation(bandit())
    feedback.scores = np.random.default_rng(0).normal(size=(10, 2))
    draws = feedback.draw(np.arange(10), left_out=0.25)(np.random.default_rng(0), 4000)
    assert np.isnan(draws.targets).mean() == pytest.approx(0.25, abs=0.03)
    stated = ~np.isnan(draws.targets)
    assert (draws.targets[stated] == feedback.scores[draws.examples][stated]).all()


def test_an_example_is_kept_for_any_score_in_the_quantile():
    feedback = TargetImitation(bandit())
    feedback.scores = np.array([[0.0, 3.0], [1, 0], [2, 1], [3, 2], [9, 9]])
    assert feedback.best(np.arange(4), 0.7).tolist() == [0, 3]  # thresholds 2.1 and 2.1
    assert feedback.best(np.arange(4), 0.0).tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("name", ["bandit", "ranking", "stories"])
def test_taken_rows_are_scored_as_before(name):
    values = {"max_new_tokens": 6, "min_new_tokens": 0} if name == "stories" else {}
    benchmark = make_benchmark(name, budget="smoke", **values)
    policy = benchmark.start_policy(Unconditioned(), 0)
    prompts = [prompt for prompt in benchmark.prompts("train")[:6] for _ in range(2)]
    samples = policy.sample(prompts, Control.start(12), 0, [0, 1] * 6)
    rows = [3, 3, 10, 0]
    taken = samples.take(rows)
    with torch.no_grad():
        before = policy.log_probs(samples, Control.start(12)).sum(dim=1)[rows]
        after = policy.log_probs(taken, Control.start(4)).sum(dim=1)
    torch.testing.assert_close(after, before, atol=1e-4, rtol=1e-5)
    torch.testing.assert_close(taken.log_probs.sum(dim=1), samples.log_probs.sum(dim=1)[rows])
    np.testing.assert_allclose(benchmark.score(taken), benchmark.score(samples)[rows])


# -- training -------------------------------------------------------------------------------


def test_every_step_sample_and_reward_call_is_counted():
    benchmark = bandit()
    method, trainer = trained(benchmark, 20, rounds=2, round_share=0.4)
    phases = [row["phase"] for row in trainer.log]
    assert phases == ["offline"] * 12 + ["round 1"] * 4 + ["round 2"] * 4
    sampled = 4 * trainer.rows
    assert trainer.account.reward_calls == 50 + 2 * sampled
    assert trainer.account.tokens == 20 * trainer.rows + 2 * sampled
    sampling = 2 * method.policy.size * 2 * sampled
    assert trainer.account.flops == 6 * method.policy.size * 20 * trainer.rows + sampling


@pytest.mark.parametrize("last", [13, 18])  # in the first and in the second round
def test_a_run_killed_in_a_round_ends_like_one_that_was_not(tmp_path, last):
    benchmark = bandit()

    def run(journal, on_step=lambda step, figures: None):
        method = make_method("ric", offline=50, round_share=0.4)
        trainer = make_trainer(benchmark, seed=0, steps=20)
        trainer.journal, trainer.on_step = journal, on_step
        method.train(benchmark, trainer)
        log = [{k: v for k, v in row.items() if k != "seconds"} for row in trainer.log]
        return method.policy.state(), method.selection, trainer.account, log

    def kill(step, figures):
        if step == last:
            raise KeyboardInterrupt

    whole = run(Journal())
    with pytest.raises(KeyboardInterrupt):
        run(Journal(tmp_path, every=0), kill)
    resumed = run(Journal(tmp_path))
    assert whole[1:] == resumed[1:]
    assert all(torch.equal(value, resumed[0][name]) for name, value in whole[0].items())


def test_offline_examples_are_asked_for_at_both_ends_of_every_objective():
    benchmark, asked = bandit(objectives=3), []
    draw = benchmark.demonstrations

    def demonstrations(rng, weights, quantile):
        asked.append((weights, quantile))
        return draw(rng, weights, quantile)

    benchmark.demonstrations = demonstrations
    trained(benchmark, 4, rounds=0)
    ((weights, quantile),) = asked
    assert quantile == 1  # all of them: the start policy's own distribution
    assert {tuple(row) for row in weights} == {tuple(s * e) for s in (-1, 1) for e in np.eye(3)}


def test_a_round_learns_the_policys_own_answers_to_high_targets():
    """The rounds' examples score higher than those of the start policy."""
    benchmark, seen = bandit(contexts=16, actions=8), []
    method, trainer = make_method("ric", offline=500), make_trainer(benchmark, seed=0, steps=200)
    fit = trainer.fit

    def spy(name, policy, feedback, **values):
        seen.append((name, feedback, len(feedback.scores), values["draw"]))
        return fit(name, policy, feedback, **values)

    trainer.fit = spy
    method.train(benchmark, trainer)
    assert [name for name, *_ in seen] == ["offline", "round 1", "round 2"]
    feedback, first, second = seen[-1][1], *(count for _, _, count, _ in seen[1:])
    means = [part.mean() for part in np.split(feedback.scores, [500, first])]
    assert len(means) == 3 and second == len(feedback.scores)
    assert means[0] + 0.1 < means[1] and means[0] + 0.1 < means[2]
    # The batches of the last round hold kept answers of both rounds, and some offline examples.
    examples = seen[-1][3](np.random.default_rng(0), 5000).examples
    shares = [(examples < 500).mean(), ((examples >= 500) & (examples < first)).mean()]
    assert all(0.05 < share < 0.6 for share in shares)
    kept = feedback.best(np.arange(first, second), 0.7)
    assert {*examples[examples >= first]} <= {*kept}


def test_the_range_is_that_of_the_training_scores():
    method, _ = trained(bandit(), 4, rounds=0, low=0.0, high=1.0)
    z = bandit().normaliser.apply(bandit().outcomes(bandit().prompts("train"))).reshape(-1, 2)
    low, high = (np.array(method.selection[end]) for end in ("low", "high"))
    assert (low >= z.min(axis=0) - 1e-9).all() and (high <= z.max(axis=0) + 1e-9).all()
    control = method.control(np.eye(2)).values.numpy()
    np.testing.assert_allclose(control, [[high[0], low[1]], [low[0], high[1]]], rtol=1e-6)


def test_published_targets_outside_the_training_scores_are_refused_clipped_or_allowed():
    benchmark = bandit()
    trainer = make_trainer(benchmark, seed=0, steps=4)
    with pytest.raises(
        UsageError, match=r"method\.targets: gaussian ranges from -[34]\.\d"
    ) as error:
        make_method("ric", targets="gaussian").train(benchmark, trainer)
    assert "\n" not in str(error.value)
    assert trainer.account.steps == 0 and not trainer.log  # nothing was trained
    allowed, _ = trained(benchmark, 4, targets="gaussian", outside="allow")
    assert allowed.selection["high"] == normal_range(2)[1].tolist()
    clipped, _ = trained(benchmark, 4, targets="gaussian", outside="clip")
    assert (np.array(clipped.selection["high"]) < allowed.selection["high"]).all()


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"low": 0.9, "high": 0.1}, r"method\.low: found 0\.9 with high 0\.1"),
        (
            {"condition": "features", "tokens": "attributes"},
            r"method\.tokens: has no effect with condition=features",
        ),
        (
            {"condition": "shifts", "left_out": 0.5},
            r"method\.left_out: has no effect with condition=shifts",
        ),
        (
            {"condition": "features", "left_out": 0.5},
            r"method\.left_out: has no effect with condition=features",
        ),
    ],
)
def test_options_that_do_not_fit_are_refused(values, told):
    with pytest.raises(UsageError, match=told):
        make_method("ric", **values).bind(bandit().objectives)


def test_what_has_no_prompt_or_stores_no_samples_is_unsupported():
    benchmark = bandit()
    trainer = make_trainer(benchmark, seed=0, steps=4)
    with pytest.raises(UnsupportedError, match="no text prompt to which a preference"):
        make_method("ric", condition="prompt_text").train(benchmark, trainer)

    class Unstored:
        def __len__(self):
            return 1

    with pytest.raises(UnsupportedError, match="bandit: its samples have no `take`"):
        TargetImitation(benchmark).add(Unstored())
    assert trainer.account.steps == 0


def test_other_methods_are_told_that_it_is_rics_feedback():
    benchmark = bandit()
    method = make_method("rewarded_soup", feedback="target_imitation")
    with pytest.raises(UsageError, match=r"set method=ric, or method\.feedback=imitation"):
        method.train(benchmark, make_trainer(benchmark, seed=0, steps=4))


def test_draws_are_split_with_all_their_fields():
    draws = Draws(np.eye(4), targets=np.arange(8.0).reshape(4, 2), examples=np.arange(4))
    first, second = draws.parts(2)
    assert first.examples.tolist() == [0, 1] and second.targets.tolist() == [[4, 5], [6, 7]]
    assert first.kappa is None and second.temperatures is None


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("method.condition=features",),
        ("method.condition=prompt_text",),
        (
            "method.condition=prompt_text",
            "method.tokens=attributes",
            "method.left_out=0.3",
            "method.template='<{name} {value}> '",
        ),
    ],
)
def test_it_conforms_on_text(options):
    found = check_method("ric", *TEXT, "budget.steps=6", "method.offline=40", *options)
    assert not faults(found), "\n".join(map(str, found))


def test_it_conforms_on_rankings_and_three_objectives():
    for where in (("benchmark=ranking",), ("benchmark=bandit", "benchmark.objectives=3")):
        found = check_method("ric", *where, "budget.steps=40", "method.offline=100")
        assert not faults(found), "\n".join(map(str, found))
