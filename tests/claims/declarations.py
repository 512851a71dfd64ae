"""Claims that the harness puts to the test: the cells each needs, its effect, and its verdict.

A claim is one difference between two rows of one table, seed by seed, or a figure of one row. Its
interval is Student's t over the seeds, at 95 %. It is *supported* where the whole interval is
beyond the threshold, *contradicted* where the whole interval is short of it, otherwise *not
decided*.
"""

from __future__ import annotations

from dataclasses import dataclass

SEEDS, QUICK_SEEDS = "seed=0,1,2,3,4", "seed=0,1,2"
TWO_CORES = "launcher=joblib hydra.launcher.n_jobs=2 threads=1"

# By the beginning of a claim's name.
PAPERS = {
    "bone soup": "[Bone Soups](https://arxiv.org/abs/2502.10762)",
    "CLP": "[CLP](https://arxiv.org/abs/2407.15762)",
    "COS-DPO": "[COS-DPO](https://arxiv.org/abs/2410.08316)",
    "interpolation": "[Continuous interpolation](https://arxiv.org/abs/2404.07117)",
    "rewarded soup": "[Rewarded Soups](https://arxiv.org/abs/2306.04488)",
}
OURS = "this harness"


@dataclass(frozen=True)
class World:
    """Where a claim is tested, and the sweeps that make its cells.

    `needs` names an argument of the study, whose value replaces {input} in `common`. With
    `own_noise`, the trained cells are also sampled without common random numbers.
    """

    common: str
    sweeps: tuple[str, ...]
    quick: str  # overrides instead of the full budget with CLAIMS=quick
    full: str
    needs: str = ""
    own_noise: bool = False


@dataclass(frozen=True)
class Claim:
    """One claim.

    `a` and `b` are prefixes of the rows' labels; `effect` is a name in `effects.EFFECTS`, or in
    `effects.NOISE_EFFECTS`, which concern all rows. The claim is that the effect exceeds `above`,
    or with `less` that it is below it.
    """

    name: str
    says: str
    world: str
    effect: str
    a: str = ""
    b: str = ""
    above: float = 0.0
    less: bool = False
    limits: str = ""


WORLDS = {
    "bandit": World(
        common="benchmark=bandit",
        sweeps=(
            "method=rewarded_soup,bone_soup,clp,cos_dpo,modpo,morl,start",
            "method=bone_soup method.mapping=identity",
            "method=bone_soup method.extrapolation=none,paper",
        ),
        quick="budget=quick budget.steps=300",
        full="budget=quick",
    ),
    "bandit_baselines": World(
        common="benchmark=bandit",
        sweeps=(
            "method=rewarded_soup,bone_soup,cos_dpo,start",
            "method=bone_soup method.beta=0.6,0.8,1 method.extrapolation=none",
            "method=rewarded_soup,morl method.feedback=preference",
            "method=interpolation method.cube=11 method.cube_range=[-2,3]",
        ),
        quick="budget=quick budget.steps=300",
        full="budget=quick",
    ),
    "bandit3": World(
        common="benchmark=bandit benchmark.objectives=3",
        sweeps=("method=rewarded_soup,bone_soup,start",),
        quick="budget=quick budget.steps=300",
        full="budget=quick",
    ),
    "bandit_temperature": World(
        common="benchmark=bandit",
        sweeps=(
            "method=cos_dpo method.variant=temperature method.dial=[0.5,2]",
            "method=cos_dpo method.form=augment method.beta_dpo=0.25,0.5,1",
        ),
        quick="budget=quick budget.steps=300",
        full="budget=quick",
    ),
    "noise": World(
        common="benchmark=stories",
        sweeps=("method=rewarded_soup,clp,start",),
        quick="budget=quick budget.steps=10 budget.test_prompts=16",
        full="budget=quick budget.steps=60",
        own_noise=True,
    ),
    "stories": World(
        common="benchmark=stories model=hf model.path={input}",
        sweeps=(
            "method=rewarded_soup,bone_soup,cos_dpo,morl,start",
            "method=clp method.variant=full,attention,logit,prompt",
            "method=bone_soup method.mapping=identity",
            "method=bone_soup method.extrapolation=none,paper",
            "method=bone_soup method.beta=0.6,0.8,1 method.extrapolation=none",
            "method=interpolation method.cube=6 method.cube_range=[-2,3]",
        ),
        quick="budget=quick budget.steps=6 budget.test_prompts=16",
        full="budget=quick budget.steps=60",
        needs="model",
    ),
    "stories3": World(
        common="benchmark=stories benchmark.objectives=[positive,varied,short_sentences] "
        "preferences.divisions=4 model=hf model.path={input}",
        sweeps=("method=rewarded_soup,bone_soup,start",),
        quick="budget=quick budget.steps=6 budget.test_prompts=16",
        full="budget=quick budget.steps=60",
        needs="model",
    ),
    "stories_preferences": World(
        common="benchmark=stories model=hf model.path={input}",
        sweeps=(
            "method=cos_dpo,start",
            "method=rewarded_soup,morl method.feedback=preference",
            "method=modpo",
        ),
        quick="budget=quick budget.steps=6 budget.test_prompts=16",
        full="budget=quick budget.steps=60",
        needs="model",
    ),
    "mq2008": World(
        common="benchmark=ranking benchmark.path={input} benchmark.fold=1,2,3,4,5",
        sweeps=(
            "method=cos_dpo,start",
            "method=rewarded_soup,morl method.feedback=preference",
            "method=modpo",
        ),
        quick="budget=quick budget.steps=10",
        full="budget=quick budget.steps=200",
        needs="data",
    ),
}

_TABULAR = (
    "One tabular world with exact KL, where seeds hardly differ: the interval says nothing of "
    "other worlds or of language models."
)
_TABULAR_3 = f"{_TABULAR} Three objectives."
_EMBEDDED = "The embedded model of `stories`, three methods, short training."
_SMALL = (
    "One start model of 260 thousand parameters and short training, after which most points of "
    "most rows are more than 10 nats from it."
)
_SMALL_3 = f"{_SMALL} Three objectives."
_RANKERS = (
    "Rankers on one public data set and short training. Five folds, up to five seeds. Folds share "
    "training queries, and the seeds of a fold its test queries, so that the intervals are "
    "somewhat too narrow."
)


def _front_of_bone_soup(world: str, limits: str) -> tuple[Claim, ...]:
    return (
        Claim(
            "bone soup: larger front",
            "Bone Soup covers more hypervolume than Rewarded Soup at the same steps.",
            world,
            "hypervolume",
            "bone_soup",
            "rewarded_soup",
            limits=limits,
        ),
        Claim(
            "bone soup: better control",
            "Bone Soup is better controlled than Rewarded Soup.",
            world,
            "controllability",
            "bone_soup",
            "rewarded_soup",
            limits=limits,
        ),
    )


def _bone_soup(world: str, limits: str) -> tuple[Claim, ...]:
    return (
        *_front_of_bone_soup(world, limits),
        Claim(
            "bone soup: the inverse mapping",
            "B⁻ᵀμ as mixing weights gives more hypervolume than μ itself.",
            world,
            "hypervolume",
            "bone_soup",
            "bone_soup (mapping=identity",
            limits=limits,
        ),
        Claim(
            "bone soup: extrapolation",
            "Extrapolation as in the released code gives more hypervolume than none.",
            world,
            "hypervolume",
            "bone_soup",
            "bone_soup (extrapolation=none",
            limits=limits,
        ),
        Claim(
            "bone soup: the paper's extrapolation",
            "Extrapolation as in the released code gives more hypervolume than as in the paper.",
            world,
            "hypervolume",
            "bone_soup",
            "bone_soup (extrapolation=paper",
            limits=limits,
        ),
    )


def _shared(world: str, limits: str) -> tuple[Claim, ...]:
    return (
        Claim(
            "rewarded soup: near MORL",
            "Rewarded Soup reaches 90 % of MORL's hypervolume.",
            world,
            "hypervolume share",
            "rewarded_soup",
            "morl",
            above=0.9,
            limits=limits,
        ),
        Claim(
            "rewarded soup: cheaper than MORL",
            "Rewarded Soup takes less than half of MORL's optimiser steps.",
            world,
            "steps share",
            "rewarded_soup",
            "morl",
            above=0.5,
            less=True,
            limits=limits,
        ),
        Claim(
            "the reference point",
            "The ranking by hypervolume is the same at the references −1, −2 and −3.",
            world,
            "reference tau",
            "rewarded_soup",
            above=0.99,
            limits=limits,
        ),
    )


def _modpo(world: str, limits: str) -> tuple[Claim, ...]:
    return (
        Claim(
            "COS-DPO: beats MODPO",
            "COS-DPO covers more hypervolume than MODPO.",
            world,
            "hypervolume",
            "cos_dpo",
            "modpo",
            limits=limits,
        ),
        Claim(
            "COS-DPO: cheaper than MODPO",
            "COS-DPO takes less than half of MODPO's optimiser steps.",
            world,
            "steps share",
            "cos_dpo",
            "modpo",
            above=0.5,
            less=True,
            limits=limits,
        ),
    )


def _preferences(world: str, limits: str) -> tuple[Claim, ...]:
    return (
        Claim(
            "COS-DPO: beats linear scalarisation",
            "COS-DPO covers more hypervolume than linear scalarisation (MORL on preferences).",
            world,
            "hypervolume",
            "cos_dpo",
            "morl (feedback=preference",
            limits=limits,
        ),
        Claim(
            "COS-DPO: cheaper than linear scalarisation",
            "COS-DPO takes less than half of linear scalarisation's optimiser steps.",
            world,
            "steps share",
            "cos_dpo",
            "morl (feedback=preference",
            above=0.5,
            less=True,
            limits=limits,
        ),
        Claim(
            "COS-DPO: beats a DPO soup",
            "COS-DPO covers more hypervolume than a DPO soup.",
            world,
            "hypervolume",
            "cos_dpo",
            "rewarded_soup (feedback=preference",
            limits=limits,
        ),
    )


def _drift(world: str, limits: str) -> tuple[Claim, ...]:
    return (
        Claim(
            "bone soup: at equal drift",
            "Bone Soup covers more hypervolume than Rewarded Soup within the same KL, the "
            "median of all points, in the seeds where both have points within it.",
            world,
            "hypervolume at equal drift",
            "bone_soup",
            "rewarded_soup",
            limits=limits,
        ),
    )


def _baselines(world: str, limits: str) -> tuple[Claim, ...]:
    return (
        *_drift(world, limits),
        Claim(
            "bone soup: mixed rewards",
            "Without extrapolation, backbones of mixed rewards (β = 0.6) cover more hypervolume "
            "than backbones of one reward each (β = 1).",
            world,
            "hypervolume",
            "bone_soup (beta=0.6",
            "bone_soup (beta=1,",
            limits=limits,
        ),
        Claim(
            "bone soup: β",
            "Without extrapolation, β = 0.6 gives more hypervolume than β = 0.8.",
            world,
            "hypervolume",
            "bone_soup (beta=0.6",
            "bone_soup (beta=0.8",
            limits=limits,
        ),
        Claim(
            "interpolation: predictable",
            "Points are a linear function of α in [0, 1]: R² above 0.9, mean over objectives.",
            world,
            "cube: linear fit",
            "interpolation",
            above=0.9,
            limits=limits,
        ),
        Claim(
            "interpolation: consistent",
            "More α of an objective gives more of it, whatever the other α: Somers' D above 0.95.",
            world,
            "cube: order",
            "interpolation",
            above=0.95,
            limits=limits,
        ),
        Claim(
            "interpolation: entanglement",
            "For most pairs, a dial moves another objective by less than half of what that "
            "objective's own dial does.",
            world,
            "cube: pairs apart",
            "interpolation",
            above=0.5,
            limits=limits,
        ),
        Claim(
            "interpolation: extrapolation to −1 and 2",
            "At α = −1 and 2 an objective is within half of the change that the line through "
            "α = 0 and 1 predicts.",
            world,
            "cube: off the line at 1",
            "interpolation",
            above=0.5,
            less=True,
            limits=limits,
        ),
        Claim(
            "interpolation: breaks beyond",
            "At α = −2 and 3 it misses the line by more than half of the predicted change.",
            world,
            "cube: off the line at 2",
            "interpolation",
            above=0.5,
            limits=limits,
        ),
    )


def _temperature(dial: float, beta: float) -> Claim:
    return Claim(
        f"COS-DPO: temperature {dial:g}",
        f"At temperature {dial:g}, the dial reaches the points of COS-DPO trained at {dial:g} "
        "times the β of DPO: it misses them by less than half of the distance from temperature 1.",
        "bandit_temperature",
        f"temperature {dial:g}: miss",
        "cos_dpo (temperature",
        f"cos_dpo (weight, beta_dpo={beta:g},",
        above=0.5,
        less=True,
        limits=_TABULAR,
    )


def _rankers(name: str, row: str) -> tuple[Claim, ...]:
    return (
        Claim(
            f"COS-DPO: auxiliary hypervolume, {name}",
            f"COS-DPO covers more auxiliary hypervolume than {name}.",
            "mq2008",
            "auxiliary_hypervolume",
            "cos_dpo",
            row,
            limits=_RANKERS,
        ),
        Claim(
            f"COS-DPO: the main objective, {name}",
            f"COS-DPO keeps a higher main NDCG than {name}.",
            "mq2008",
            "main_objective",
            "cos_dpo",
            row,
            limits=_RANKERS,
        ),
    )


CLAIMS = (
    *_bone_soup("bandit", _TABULAR),
    Claim(
        "CLP: the middle of the simplex",
        "CLP is worth more than Rewarded Soup in the middle of the simplex.",
        "bandit",
        "middle utility",
        "clp",
        "rewarded_soup",
        limits=_TABULAR,
    ),
    *_shared("bandit", _TABULAR),
    *_modpo("bandit", _TABULAR),
    Claim(
        "a soup is below the best front",
        "On the bandit a soup misses more of the possible gain than a policy per preference.",
        "bandit",
        "oracle regret",
        "rewarded_soup",
        "morl",
        limits=_TABULAR,
    ),
    *_baselines("bandit_baselines", _TABULAR),
    *_preferences("bandit_baselines", _TABULAR),
    _temperature(0.5, 0.25),
    _temperature(2.0, 1.0),
    *_front_of_bone_soup("bandit3", _TABULAR_3),
    *_drift("bandit3", _TABULAR_3),
    Claim(
        "common noise: differences at a preference",
        "Common random numbers shrink the standard error of the difference in utility of two "
        "methods at a preference: error with noise of their own over error with common noise.",
        "noise",
        "noise: utility",
        above=1.0,
        limits=_EMBEDDED,
    ),
    Claim(
        "common noise: differences in hypervolume",
        "Common random numbers shrink the bootstrap error of the difference in hypervolume of two "
        "methods: error with noise of their own over error with common noise.",
        "noise",
        "noise: hypervolume",
        above=1.0,
        limits=f"{_EMBEDDED} Without common noise, the points of one front have noise of their own "
        "too, so that their errors average out in its hypervolume.",
    ),
    *_bone_soup("stories", _SMALL),
    Claim(
        "CLP full: the middle of the simplex",
        "CLP with full copies is worth more than Rewarded Soup in the middle of the simplex.",
        "stories",
        "middle utility",
        "clp (full",
        "rewarded_soup",
        limits=_SMALL,
    ),
    Claim(
        "CLP attention: the middle of the simplex",
        "CLP with attention copies is worth more than Rewarded Soup in the middle of the simplex.",
        "stories",
        "middle utility",
        "clp (attention",
        "rewarded_soup",
        limits=_SMALL,
    ),
    Claim(
        "CLP prompt: steers least",
        "Preferences in the prompt steer less than logit mixing.",
        "stories",
        "controllability",
        "clp (logit",
        "clp (prompt",
        limits=_SMALL,
    ),
    Claim(
        "CLP logit: between",
        "Logit mixing steers less than full copies.",
        "stories",
        "controllability",
        "clp (full",
        "clp (logit",
        limits=_SMALL,
    ),
    *_shared("stories", _SMALL),
    *_baselines("stories", _SMALL),
    *_front_of_bone_soup("stories3", _SMALL_3),
    *_drift("stories3", _SMALL_3),
    *_modpo("stories_preferences", _SMALL),
    *_preferences("stories_preferences", _SMALL),
    *(
        claim
        for name, row in (
            ("a DPO soup", "rewarded_soup"),
            ("linear scalarisation", "morl"),
            ("MODPO", "modpo"),
        )
        for claim in _rankers(name, row)
    ),
    *(
        Claim(
            f"COS-DPO: cheaper than {name}",
            f"COS-DPO takes less than half of {name}'s optimiser steps.",
            "mq2008",
            "steps share",
            "cos_dpo",
            row,
            above=0.5,
            less=True,
            limits=_RANKERS,
        )
        for name, row in (("linear scalarisation", "morl"), ("MODPO", "modpo"))
    ),
)
