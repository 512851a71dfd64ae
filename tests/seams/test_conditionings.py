"""Conditionings: ranks per bank, trainable scales, tied banks, mixtures, and one from outside."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from seam_cells import SMALL, TEXT, assert_resumes, finish
from small_model import errors
from tiny_text import DECODING, PROMPTS, tiny_llama
from torch import Tensor, nn

from paretosteer import make_benchmark, make_method, make_trainer, restore_cell
from paretosteer.benchmarks.bandit.conflicting_rewards import best_policies
from paretosteer.cells.plan import plan_cell
from paretosteer.commands.main import main
from paretosteer.errors import UnsupportedError, UsageError
from paretosteer.plugins.in_use import kind_versions
from paretosteer.policies.active_banks import ActiveBanks
from paretosteer.policies.banks import BankedLinear
from paretosteer.policies.conditioning import Banks, Conditioning, Mixture, TiedBanks
from paretosteer.policies.control import Control
from paretosteer.policies.tied_banks import TiedLinear
from paretosteer.sweeps.compose import compose_cell
from paretosteer.text.policy import TextPolicy

MU = torch.tensor([[0.2, 0.5, 0.3], [1.0, 0.0, 0.0], [0.6, 0.6, -0.2]])  # rows sum to 1


def scrambled(policy: TextPolicy, spread: float = 0.3) -> TextPolicy:
    """A policy with every trainable tensor drawn at random."""
    torch.manual_seed(1)
    for parameter in policy.parameters():
        nn.init.normal_(parameter, std=spread)
    return policy


def text_policy(conditioning: Conditioning) -> TextPolicy:
    return scrambled(TextPolicy(tiny_llama(), conditioning, DECODING, seed=0))


# -- ranks and scales per bank --------------------------------------------------------------


def test_banks_of_different_ranks_add_up_like_peft_adapters() -> None:
    banks = Banks(3, (1, 4, 2), (3.0, 1.0, 8.0))
    assert banks.layout == ((1, 3.0), (4, 0.25), (2, 4.0))
    policy = text_policy(banks)
    for layer in policy.layers.values():
        assert isinstance(layer, BankedLinear)
        weight = layer.weight.clone()  # PEFT: W + (alpha / r) B A
        for c, a, b, scale in zip(MU[0], layer.A, layer.B, (3.0, 0.25, 4.0), strict=True):
            weight += c * scale * b @ a
        torch.testing.assert_close(layer.materialise(MU[0]), weight, atol=1e-5, rtol=1e-5)
        x = torch.randn(3, 2, layer.shape[1])
        with torch.no_grad(), layer.active.set(coefficients=MU):
            rows = layer(x)
        torch.testing.assert_close(rows[0], x[0] @ weight.T, atol=1e-5, rtol=1e-4)
        with torch.no_grad(), layer.active.set(index=torch.tensor([2, 0, 1])):
            chosen = layer(x)
        for row, bank in enumerate([2, 0, 1]):
            alone = layer.weight + layer.delta(bank)
            torch.testing.assert_close(chosen[row], x[row] @ alone.T, atol=1e-5, rtol=1e-4)


def test_a_trained_scale_changes_and_is_saved_and_materialised() -> None:
    conditioning = Banks(2, (2, 3), 4.0, trainable_scale=True)
    policy = TextPolicy(tiny_llama(), conditioning, DECODING, seed=0)
    for name, parameter in policy.state().items():
        if name.endswith(".B"):
            nn.init.normal_(parameter, std=0.3)
    control = Control.soup([[0.7, 0.3]] * 3)
    samples = policy.sample(PROMPTS, control, 0, [0, 0, 0])
    before = policy.state()["banks.0.model.layers.0.mlp.up_proj.scale"].clone()
    assert before.tolist() == [2.0]
    policy.log_probs(samples, control).sum().backward()
    torch.optim.SGD(policy.parameters(), lr=0.1).step()
    after = policy.state()["banks.0.model.layers.0.mlp.up_proj.scale"]
    assert not torch.equal(after, before)
    layer = policy.layers["model.layers.0.mlp.up_proj"]
    a, b = layer.parts(0)["A"], layer.parts(0)["B"]
    torch.testing.assert_close(layer.delta(0), after * b @ a)
    again = TextPolicy(tiny_llama(), conditioning, DECODING, seed=9)
    again.load_state(policy.state())
    torch.testing.assert_close(
        again.log_probs(samples, control), policy.log_probs(samples, control)
    )


@pytest.mark.parametrize(
    ("chosen", "said"),
    [
        ({"rank": (1, 2, 3)}, "rank: found 3 values for 2 banks; give one each"),
        ({"rank": (1, 2), "merge": "factors"}, "different ranks or scales have no average"),
    ],
)
def test_banks_that_cannot_be_are_refused(chosen: dict[str, object], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        Banks(**{"count": 2, "rank": 4, "alpha": 4.0, **chosen})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("conditioning", "said"),
    [
        (Banks(2, (1, 2), 4.0), "there are no ranks or scales to set"),
        (Banks(2, 2, 4.0, trainable_scale=True), "there are no ranks or scales to set"),
        (TiedBanks(2, 2, 4.0), "there are no factors to tie"),
    ],
)
def test_a_table_refuses_what_only_low_rank_banks_have(
    conditioning: Conditioning, said: str
) -> None:
    with pytest.raises(UnsupportedError, match=said):
        make_benchmark("bandit").start_policy(conditioning, seed=0)


# -- tied banks -----------------------------------------------------------------------------

TIED = {
    "full": {"rank": 4},
    "always on": {"rank": 4, "always_on": 2},
    "diagonal": {"rank": 3, "mixing": "diagonal"},
    "Panacea": {"rank": 3, "always_on": 5, "mixing": "diagonal"},
}


@pytest.mark.parametrize("chosen", TIED.values(), ids=TIED)
@pytest.mark.parametrize(("dtype", "atol"), [(torch.float32, 1e-6), (torch.float64, 1e-12)])
def test_tied_banks_are_affine_in_the_preference(
    chosen: dict[str, object], dtype: torch.dtype, atol: float
) -> None:
    torch.manual_seed(0)
    conditioning = TiedBanks(3, alpha=8.0, **chosen)  # type: ignore[arg-type]
    layer = conditioning.linear(nn.Linear(6, 5).to(dtype), ActiveBanks()).to(dtype)
    for parameter in (
        *layer.shared().values(),
        *(x for k in range(3) for x in layer.parts(k).values()),
    ):
        nn.init.normal_(parameter, std=0.3)
    exact = MU.to(dtype)
    for mu in exact / exact.sum(dim=1, keepdim=True):
        a, b = layer.factors(mu)
        mixed = sum(c * layer.delta(k) for k, c in enumerate(mu))
        torch.testing.assert_close(b @ a, mixed, atol=atol, rtol=0)


def test_tied_banks_are_those_of_pblora_and_panacea() -> None:
    torch.manual_seed(0)
    active = ActiveBanks()
    full = TiedBanks(2, rank=3, alpha=6.0, always_on=2).linear(nn.Linear(6, 5), active)
    assert isinstance(full, TiedLinear) and full.C0 is not None
    for parameter in full.parameters():
        nn.init.normal_(parameter)
    mu = torch.tensor([0.3, 0.7])
    b1, b2, a1, a2 = full.B[:, :2], full.B[:, 2:], full.A[:2], full.A[2:]
    w2 = 0.3 * full.C[0] + 0.7 * full.C[1]
    expected = 6.0 / 3 * (b1 @ full.C0 @ a1 + b2 @ w2 @ a2)
    torch.testing.assert_close(full.materialise(mu) - full.weight, expected, atol=1e-5, rtol=1e-5)
    panacea = TiedBanks(2, 2, 2.0, 3, "diagonal").linear(nn.Linear(6, 5), active)
    assert isinstance(panacea, TiedLinear) and panacea.C0 is not None
    for parameter in panacea.parameters():
        nn.init.normal_(parameter)
    assert panacea.preference_scale is not None and panacea.preference_scale.shape == (1,)
    diagonal = torch.cat([panacea.C0, panacea.preference_scale * mu])
    expected = panacea.B @ torch.diag(diagonal) @ panacea.A
    torch.testing.assert_close(
        panacea.materialise(mu) - panacea.weight, expected, atol=1e-5, rtol=0
    )


@pytest.mark.parametrize("chosen", TIED.values(), ids=TIED)
def test_a_batch_of_tied_rows_equals_materialised_models(chosen: dict[str, object]) -> None:
    policy = text_policy(TiedBanks(3, alpha=4.0, **chosen))  # type: ignore[arg-type]
    samples = policy.sample(PROMPTS, Control.soup(MU), 0, [0, 0, 0])
    scores = policy.log_probs(samples, Control.soup(MU))
    torch.testing.assert_close(samples.log_probs, scores, atol=2e-5, rtol=1e-4)
    for row, mu in enumerate(MU):
        model = tiny_llama()
        model = type(model)(policy.materialise(mu), model.tokenizer, "plain")
        plain = TextPolicy(model, Conditioning(), DECODING, seed=0)
        alone = plain.log_probs(samples.take([row]), Control.start(1))
        torch.testing.assert_close(scores[row, : alone.shape[1]], alone[0], atol=2e-5, rtol=1e-4)


def test_untrained_tied_banks_are_the_start_model_and_train_only_together() -> None:
    policy = TextPolicy(tiny_llama(), TiedBanks(3, 4, 8.0, always_on=2), DECODING, seed=0)
    samples = policy.sample(PROMPTS, Control.start(3), 0, [0, 0, 0])
    start = policy.log_probs(samples, Control.start(3))
    assert torch.equal(policy.log_probs(samples, Control.soup(MU)), start)
    with pytest.raises(UsageError, match="bank 1: tied banks share their factors"):
        policy.parameters(1)
    names = {key.split(".")[0] for key in policy.state()}
    assert names == {"shared", "banks"}


# -- mixtures -------------------------------------------------------------------------------


def test_a_mixture_with_one_hot_weights_is_that_policy() -> None:
    policy = text_policy(Mixture(2, 2, 4.0))
    for k, alone in enumerate([Control.start(3), Control.bank([0] * 3), Control.bank([1] * 3)]):
        weights = torch.eye(3)[[k] * 3]
        assert Control.mixture(weights).passes == 1
        mixed = policy.sample(PROMPTS, Control.mixture(weights), 5, [0, 0, 0])
        plain = policy.sample(PROMPTS, alone, 5, [0, 0, 0])
        assert mixed.texts == plain.texts
        torch.testing.assert_close(mixed.log_probs, plain.log_probs, atol=1e-5, rtol=1e-5)


def test_a_mixture_of_equal_banks_is_that_bank() -> None:
    policy = text_policy(Mixture(2, 2, 4.0))
    for layer in policy.layers.values():
        for name, value in layer.parts(1).items():
            value.data.copy_(layer.parts(0)[name].data)
    samples = policy.sample(PROMPTS, Control.bank([0] * 3), 5, [0, 0, 0])
    weights = torch.tensor([[0.0, 0.3, 0.7], [0.0, 1.5, -0.5], [0.0, 0.5, 0.5]])
    scores = policy.log_probs(samples, Control.mixture(weights))
    torch.testing.assert_close(scores, samples.log_probs, atol=1e-5, rtol=1e-4)


def test_a_mixture_samples_from_what_it_scores_in_every_row_apart() -> None:
    policy = text_policy(Mixture(2, 2, 4.0))
    weights = torch.tensor([[0.4, 0.9, 0.7], [1.0, -0.5, 0.5], [0.0, 0.0, 2.0]])
    control = Control.mixture(weights)
    assert control.passes == 3
    samples = policy.sample(PROMPTS, control, 5, [0, 0, 0])
    scores = policy.log_probs(samples, control)
    torch.testing.assert_close(samples.log_probs, scores, atol=2e-5, rtol=1e-4)
    for row in range(3):
        one = torch.tensor([row])
        alone = policy.log_probs(samples.take([row]), control.take(one))
        torch.testing.assert_close(scores[row, : alone.shape[1]], alone[0], atol=2e-5, rtol=1e-4)


def test_a_mixture_may_be_of_any_policies_and_sharpened() -> None:
    """PARM: the start model, and tied banks at the preference, with weight 1 / beta."""
    policy = text_policy(TiedBanks(3, 4, 8.0))
    soup = Control.soup(MU)
    control = Control.mixture([[1.0, 2.0]] * 3, [Control.start(3), soup])
    samples = policy.sample(PROMPTS, control, 5, [0, 0, 0])
    torch.testing.assert_close(
        policy.log_probs(samples, control), samples.log_probs, atol=2e-5, rtol=1e-4
    )
    sharp = Control.mixture([[-0.5, 1.5]] * 3, [Control.start(3), soup])
    dialled = Control("soup", 3, soup.values, sharpness=torch.full((3,), 1.5))
    torch.testing.assert_close(
        policy.log_probs(samples, sharp), policy.log_probs(samples, dialled), atol=1e-4, rtol=1e-3
    )
    with pytest.raises(UsageError, match="give one column per policy"):
        Control.mixture([[1.0, 2.0]], [Control.start(1)])


@pytest.mark.parametrize("kind", ["tabular", "mlp"])
def test_mixed_optimal_specialists_are_the_optimum_of_the_weighted_reward(kind: str) -> None:
    """MOD (arXiv 2406.18853) under the reverse KL."""
    bandit = make_benchmark("bandit", policy=kind, objectives=3, contexts=8)
    contexts = bandit.prompts("test")
    policy = bandit.start_policy(Mixture(3, 8, 8.0), seed=0)
    z = bandit.normaliser.apply(bandit.outcomes(contexts))  # (n, K, m)
    start = policy.log_policy(contexts, Control.start(len(contexts))).detach()
    exact = torch.as_tensor(z / bandit.kl_coefficient).float()
    known = policy.logits  # each bank's optimum in closed form, in place of training

    def logits(contexts: Sequence[object], control: Control) -> Tensor:
        if control.kind != "bank":
            return known(contexts, control)
        assert control.values is not None
        return start + exact[torch.arange(len(contexts)), :, control.values]

    policy.logits = logits  # type: ignore[method-assign]
    for mu in ([0.2, 0.5, 0.3], [1.0, 0.0, 0.0]):
        control = Control.mixture([[0.0, *mu]] * len(contexts))
        best = best_policies(z, start.double().numpy(), np.array([mu]), bandit.kl_coefficient)[0]
        found = policy.log_policy(contexts, control).detach().double().numpy()
        np.testing.assert_allclose(found, best, atol=2e-5)


def test_a_mixture_of_rankers_mixes_the_scores() -> None:
    ranking = make_benchmark("ranking", budget="smoke")
    policy = scrambled(ranking.start_policy(Mixture(2, 2, 4.0), seed=0))  # type: ignore[arg-type]
    queries = ranking.prompts("test")[:2]
    control = Control.mixture([[0.5, 0.7, -0.2]] * 2)
    drawn = policy.sample(queries, control, 0, [0, 0])
    torch.testing.assert_close(policy.log_probs(drawn, control), drawn.log_probs)
    parts = [Control.start(2), Control.bank([0, 0]), Control.bank([1, 1])]
    scores = [policy.document_scores(queries, part)[0] for part in parts]
    mixed, mask = policy.document_scores(queries, control)
    expected = 0.5 * scores[0] + 0.7 * scores[1] - 0.2 * scores[2]
    torch.testing.assert_close(mixed[mask], expected[mask])


# -- conditionings from outside the package -------------------------------------------------

PLUGIN = '''
"""Methods whose conditionings come from outside."""
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from paretosteer.method import Method
from paretosteer.methods.clp import CLP
from paretosteer.policies.banks import BankedLinear
from paretosteer.policies.conditioning import Banks, Conditioning, Mixture, TiedBanks
from paretosteer.policies.control import Control


class Prefix(nn.Module):
    """A trainable prefix times a mask made from the preference (Hyper Prompt Tuning)."""

    def __init__(self, size, tokens, rank, width, generator):
        super().__init__()
        self.tokens = tokens
        draw = lambda *shape: nn.Parameter(torch.randn(shape, generator=generator) / shape[-1])
        self.prefix = draw(tokens, width)
        self.left, self.right = draw(tokens * rank, size), draw(rank * width, size)

    def forward(self, features):
        rows = len(features)
        left = (features @ self.left.T).view(rows, self.tokens, -1)
        return (left @ (features @ self.right.T).view(rows, left.shape[2], -1)) * self.prefix


@dataclass(frozen=True)
class MaskedPrefix(Conditioning):
    """A masked prefix before a text, a bank that is always on, a shift in small networks."""

    steered_by = "features"

    size: int

    @classmethod
    def of(cls, size, options):
        return cls(size)

    def bank_scope(self):
        return "attention"

    def linear(self, base, active):
        return BankedLinear(base, [(4, 2.0)], active)

    def text_reader(self, embedding, generator):
        return Prefix(self.size, 3, 2, embedding.shape[1], generator)

    def table_reader(self, base, generator):
        reader = nn.Linear(self.size, base.numel(), bias=False)
        reader.weight.data.zero_()
        return reader


class MaskedPrefixMethod(CLP):
    def conditioning(self, objectives):
        return MaskedPrefix(objectives)

    def _control(self, mu, kappa):
        return Control.features(mu)


class Tied(CLP):
    def conditioning(self, objectives):
        return TiedBanks(objectives, 3, 6.0, always_on=1)


class Scaled(CLP):
    def conditioning(self, objectives):
        return Banks(objectives, tuple(range(1, objectives + 1)), 4.0, trainable_scale=True)


class Mixed(CLP):
    def conditioning(self, objectives):
        return Mixture(objectives, 2, 4.0)

    def _control(self, mu, kappa):
        return Control.mixture(np.hstack([np.full((len(mu), 1), 0.5), mu]))


paretosteer_plugins = {
    "methods": {"prefix": MaskedPrefixMethod, "tied": Tied, "scaled": Scaled, "mixed": Mixed},
    "conditionings": {"masked_prefix": MaskedPrefix},
}
'''


@pytest.mark.parametrize(
    "method",
    ["prefix", *(pytest.param(x, marks=pytest.mark.slow) for x in ("tied", "scaled", "mixed"))],
)
def test_a_language_model_trains_samples_saves_and_resumes(
    plugin: Callable[[str], None], tmp_path: Path, method: str
) -> None:
    plugin(PLUGIN)
    assert_resumes(tmp_path, *TEXT, f"method={method}")


@pytest.mark.parametrize(
    ("method", "kind"),
    [("prefix", "tabular"), ("tied", "mlp"), ("scaled", "mlp"), ("mixed", "tabular")],
)
def test_a_bandit_trains_samples_saves_and_resumes(
    plugin: Callable[[str], None], tmp_path: Path, method: str, kind: str
) -> None:
    plugin(PLUGIN)
    assert_resumes(tmp_path, "benchmark=bandit", f"benchmark.policy={kind}", f"method={method}")


def test_a_trained_mixture_steers(plugin: Callable[[str], None]) -> None:
    plugin(PLUGIN)
    bandit = make_benchmark("bandit", budget="smoke")
    method = make_method("mixed", learning_rate=0.2)
    method.train(bandit, make_trainer(bandit, seed=0, steps=60))
    contexts = bandit.prompts("test")
    for objective in range(2):
        gains = []
        for mu in (np.eye(2)[objective], np.eye(2)[1 - objective]):
            control = method.control(np.tile(mu, (len(contexts), 1)))
            answers = method.policy.answer(contexts, control, 0, [0] * len(contexts))
            gains.append(bandit.score(answers)[:, objective].mean())
        assert gains[0] > gains[1]


# -- conditionings by name ------------------------------------------------------------------


@pytest.mark.parametrize("variant", ["weight", "temperature"])
def test_a_conditioning_from_a_file_is_trained_by_name(
    plugin: Callable[[str], None], tmp_path: Path, variant: str
) -> None:
    plugin(PLUGIN)
    chosen = ("method=cos_dpo", "method.condition=masked_prefix", f"method.variant={variant}")
    cell = assert_resumes(tmp_path, "benchmark=bandit", *chosen)
    record = json.loads((cell / "record.json").read_text())
    assert list(record["plugins"]) == ["conditioning masked_prefix"]
    policy = restore_cell(cell).method.policy
    assert type(policy.conditioning).__name__ == "MaskedPrefix"  # type: ignore[attr-defined]


def test_its_version_is_part_of_a_cell_s_identity(plugin: Callable[[str], None]) -> None:
    plugin(PLUGIN)
    chosen = ("method=cos_dpo", "method.condition=masked_prefix", "benchmark=bandit")
    plan = plan_cell(compose_cell(chosen))
    assert kind_versions(plan.config) == {"conditioning masked_prefix": "1"}
    assert not kind_versions(compose_cell(("method=cos_dpo", "benchmark=bandit")))


@pytest.mark.parametrize(
    ("condition", "benchmark"),
    [
        *(("tied_banks", "mlp"), ("mixture", "mlp"), ("banks", "tabular")),
        *(("mixture", "tabular"), ("none", "tabular")),
    ],
)
def test_a_built_in_conditioning_is_trained_by_name(
    tmp_path: Path, condition: str, benchmark: str
) -> None:
    chosen = ("benchmark=bandit", f"benchmark.policy={benchmark}", "method=cos_dpo")
    finish(tmp_path, *chosen, f"method.condition={condition}")


@pytest.mark.parametrize(
    ("chosen", "said"),
    [
        (["tied_bank"], "'tied_bank' is not a registered conditioning; did you mean 'tied_banks'"),
        (["prompt_text"], "'prompt_text' is steered by text, but COS-DPO needs one of soup"),
        (["unconditioned"], "'unconditioned' is steered by start, but COS-DPO needs one of soup"),
        (["banks", "method.variant=temperature"], "'banks' cannot read temperatures"),
        (["none", "method.variant=temperature"], "'none' cannot read temperatures"),
    ],
)
def test_a_name_that_the_method_cannot_use_is_refused_before_training(
    chosen: list[str], said: str
) -> None:
    condition, *others = chosen
    words = ("benchmark=bandit", "method=cos_dpo", f"method.condition={condition}", *others)
    with pytest.raises(UsageError, match=said) as error:
        plan_cell(compose_cell((*SMALL, *words)))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("pass", "does not define of; add the class method"),
        ("version = ''", "has no version"),
    ],
)
def test_a_conditioning_that_lacks_a_part_is_refused(
    plugin: Callable[[str], None], body: str, said: str
) -> None:
    source = (
        "from paretosteer.policies.conditioning import Conditioning\n"
        f"class Mine(Conditioning):\n    {body}\n"
        'paretosteer_plugins = {"conditionings": {"mine": Mine}}\n'
    )
    with pytest.raises(UsageError, match=f"conditioning 'mine' {said}"):
        plugin(source)


def test_the_list_shows_the_class_of_a_file(
    plugin: Callable[[str], None], capsys: pytest.CaptureFixture[str]
) -> None:
    plugin(PLUGIN)
    assert main(["list", "conditionings"]) == 0
    shown = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert shown["masked_prefix"].startswith("A masked prefix before a text")
    assert shown["features"].startswith("Preference as a vector")


# -- costs and exports of mixtures ----------------------------------------------------------


def test_a_mixture_costs_a_pass_per_policy() -> None:
    bandit = make_benchmark("bandit", budget="smoke")
    costs = {}
    for condition in ("banks", "mixture"):
        method = make_method("cos_dpo", condition=condition)
        trainer = make_trainer(bandit, seed=0, steps=3)
        method.train(bandit, trainer)
        costs[condition] = trainer.account.flops
    assert costs["mixture"] == 2 * costs["banks"]  # one bank per objective


def test_a_mixture_cannot_be_exported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cell = finish(tmp_path, *TEXT, "method=cos_dpo", "method.condition=mixture")
    for form in ("model", "peft"):
        capsys.readouterr()
        words = ["--preference", "0.3,0.7", "--out", str(tmp_path / "out"), "--as", form]
        assert main(["export", str(cell), *words]) == 2
        (line,) = errors(capsys.readouterr().err)
        assert f"--as {form}: this policy mixes the next-token scores of several models" in line
    assert not (tmp_path / "out").exists()


def test_banks_whose_override_the_forward_pass_would_ignore_are_refused() -> None:
    class Halved(BankedLinear):
        def change(self, x: torch.Tensor) -> torch.Tensor:
            return x

    class Whole(Halved):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y: torch.Tensor = self.base(x)
            return y + self.change(x)

    base, active = nn.Linear(3, 3), ActiveBanks()
    with pytest.raises(UsageError, match=r"^Halved: overrides change, which the forward pass"):
        Halved(base, [(2, 1.0)], active)
    assert Whole(base, [(2, 1.0)], active).count == 1
