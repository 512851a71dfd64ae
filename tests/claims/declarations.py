"""Claims that the harness puts to the test: the cells each needs, its effect, and its verdict.

A claim is one difference between two rows of one table, seed by seed, or a figure of one row. Its
interval is Student's t over the seeds, at 95 %. It is *supported* where the whole interval is
beyond the threshold, *contradicted* where the whole interval is short of it, otherwise *not
decided*.
"""

from __future__ import annotations

from dataclasses import dataclass

SEEDS = "seed=0,1,2,3,4"


@dataclass(frozen=True)
class World:
    """Where a claim is tested, and the sweeps that make its cells.

    `needs` names an argument of the study, whose value replaces {input} in `common`.
    """

    common: str
    sweeps: tuple[str, ...]
    quick: str  # overrides instead of the full budget with CLAIMS=quick
    full: str
    needs: str = ""


@dataclass(frozen=True)
class Claim:
    """One claim.

    `a` and `b` are prefixes of the rows' labels; `effect` is a name in `effects.EFFECTS`. The claim
    is that the effect exceeds `above`, or with `less` that it is below it.
    """

    name: str
    says: str
    world: str
    effect: str
    a: str
    b: str = ""
    above: float = 0.0
    less: bool = False
    limits: str = ""


WORLDS = {
    "bandit": World(
        common="benchmark=bandit threads=1",
        sweeps=(
            "method=rewarded_soup,bone_soup,clp,cos_dpo,modpo,morl,start",
            "method=bone_soup method.mapping=identity",
            "method=bone_soup method.extrapolation=none,paper",
        ),
        quick="budget=quick budget.steps=600",
        full="budget=quick",
    ),
    "stories": World(
        common="benchmark=stories model=hf model.path={input} threads=2",
        sweeps=(
            "method=rewarded_soup,bone_soup,interpolation,cos_dpo,modpo,morl,start",
            "method=clp method.variant=full,attention,logit,prompt",
            "method=bone_soup method.mapping=identity",
            "method=bone_soup method.extrapolation=none,paper",
        ),
        quick="budget=quick budget.steps=40",
        full="budget=quick",
        needs="model",
    ),
    "mq2008": World(
        common="benchmark=ranking benchmark.path={input} benchmark.fold=1,2,3,4,5 threads=1",
        sweeps=("method=cos_dpo,rewarded_soup,modpo,morl,start method.feedback=preference",),
        quick="budget=quick budget.steps=200",
        full="budget=quick",
        needs="data",
    ),
}

_TABULAR = (
    "One tabular world with exact KL, where seeds hardly differ: the interval says nothing of "
    "other worlds or of language models."
)
_SMALL = "One start model of 260 thousand parameters and short training."
_RANKERS = "Rankers on one public data set, five folds."


def _bone_soup(world: str, limits: str) -> tuple[Claim, ...]:
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
    Claim(
        "a soup is below the best front",
        "On the bandit a soup misses more of the possible gain than a policy per preference.",
        "bandit",
        "oracle regret",
        "rewarded_soup",
        "morl",
        limits=_TABULAR,
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
    Claim(
        "COS-DPO: auxiliary hypervolume",
        "COS-DPO covers more auxiliary hypervolume than a DPO soup.",
        "mq2008",
        "auxiliary_hypervolume",
        "cos_dpo",
        "rewarded_soup",
        limits=_RANKERS,
    ),
    Claim(
        "COS-DPO: the main objective",
        "COS-DPO keeps a higher main NDCG than a DPO soup.",
        "mq2008",
        "main_objective",
        "cos_dpo",
        "rewarded_soup",
        limits=_RANKERS,
    ),
)
