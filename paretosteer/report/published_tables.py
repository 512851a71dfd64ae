"""Numbers that papers print, with the columns, grid and units of their tables.

docs/published.md shows the same numbers, and a test compares the two. Values are texts, with the
digits of the paper. Imports nothing heavy, so that the papers can be listed in milliseconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class PaperColumn:
    """A column of a paper's table, and the figure of ours that has its definition.

    `remedy` says what gives the figure a value where it is missing.
    """

    heading: str
    unit: str
    figure: str = ""  # column of leaderboard.csv; empty if there is none
    remedy: str = ""


@dataclass(frozen=True)
class PaperTable:
    """A table of a paper, and the cells of ours that fit beside it.

    Attributes
    ----------
    title
        Setting of the table.
    model
        Start model of the paper.
    objectives
        Names of our objectives; empty if paretosteer cannot run this setting.
    grid, points
        Name of a grid in `simplex` and number of preferences; an empty name or 0 if unknown.
    run
        Overrides that make such cells.
    columns
        Empty for a paper that shows its fronts only as figures: the table then has the mean raw
        reward of each objective at every preference.
    rows
        Values by method.
    """

    title: str
    model: str
    objectives: tuple[str, ...]
    grid: str
    points: int
    run: str
    columns: tuple[PaperColumn, ...]
    rows: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class Paper:
    """A paper, its tables, and what is unknown or differs when ours are put beside them."""

    title: str
    tables: tuple[PaperTable, ...]
    unknown: tuple[str, ...]


_RAW_HYPERVOLUME = PaperColumn(
    "HV",
    "raw rewards",
    "hypervolume_raw",
    "give the reference point with --raw-reference=A,B",
)
_RAW_MIP = PaperColumn("MIP", "raw rewards", "mip_raw")
_SECONDS_PER_ANSWER = PaperColumn("seconds", "for 512 tokens")
_PARAMETERS = PaperColumn("parameters", "trained", "trained_parameters")

_PARM = Paper(
    "PARM (arXiv 2505.06274, ICML 2025)",
    (
        PaperTable(
            "safety, 7B model and 7B reward models (table 2)",
            "Alpaca-7B",
            ("safe", "helpful"),
            "lattice",
            11,
            "experiment=parm_safety budget=full",
            (_RAW_HYPERVOLUME, _RAW_MIP),
            {
                "Rewarded Soups": ("69.79", "1.40"),
                "MOD": ("89.96", "2.15"),
                "GenARM": ("99.34", "0.80"),
                "PARM": ("113.38", "2.59"),
            },
        ),
        PaperTable(
            "safety, 65B model and 7B reward models (table 3)",
            "Alpaca-65B",
            (),
            "lattice",
            11,
            "",
            (_RAW_HYPERVOLUME, _RAW_MIP),
            {
                "MOD, weak to strong": ("96.57", "2.94"),
                "GenARM": ("114.76", "1.81"),
                "PARM": ("121.73", "3.46"),
            },
        ),
        PaperTable(
            "helpful assistant, 7B model and 1.1B reward models (table 4)",
            "Llama-2-7B-chat",
            ("helpful", "harmless", "humour"),
            "parm36",
            36,
            "experiment=parm_assistant budget=full",
            (_RAW_HYPERVOLUME, _RAW_MIP, _SECONDS_PER_ANSWER, _PARAMETERS),
            {
                "MOD, weak to strong": ("42.92", "0.92", "59.0", "4.59 M"),
                "GenARM": ("44.38", "0.93", "48.4", "4.59 M"),
                "PARM": ("82.12", "1.42", "39.0", "1.53 M"),
            },
        ),
    ),
    (
        "The reference point of the hypervolume is unknown: neither the paper nor its code states "
        "it. Compare hypervolumes within a table only; MIP does not depend on it.",
        "It is unknown how the paper trained Rewarded Soups and MOD, and with how many seeds; it "
        "gives no intervals.",
        "The paper's random split of the prompts is not reproducible; ours is by hash.",
        "The weak specialists of MOD (tables 3 and 4) are smaller models; ours are banks on the "
        "start model. Reward models can be of either kind (`method.reward_model`).",
    ),
)

_COS_DPO = Paper(
    "COS-DPO (arXiv 2410.08316, UAI 2025)",
    (
        PaperTable(
            "MSLR-WEB10K (table 1)",
            "a ranker",
            ("relevance", "quality", "quality2", "query_url_clicks", "url_clicks", "dwell"),
            "",
            11,
            "experiment=cos_dpo_mslr benchmark.path=FOLDER budget=full",
            (
                PaperColumn("HV", "auxiliary NDCG@10 above the origin", "auxiliary_hypervolume"),
                PaperColumn("main NDCG@10", "mean over preferences", "main_objective"),
                PaperColumn("seconds", "of training, other hardware", "seconds_train"),
                _PARAMETERS,
            ),
            {
                "linear scalarisation": ("1.648e-3", "0.355 ± 0.029", "14,649", "551,232"),
                "DPO soup": ("1.468e-3", "0.382 ± 0.032", "6,062", "250,615"),
                "MODPO": ("1.263e-3", "0.360 ± 0.024", "27,060", "801,792"),
                "COS-DPO": ("2.039e-3", "0.432 ± 0.028", "4,043", "50,432"),
            },
        ),
        PaperTable(
            "PKU-SafeRLHF, 83,400 pairs (table 2)",
            "GPT-2 or Alpaca-7B",
            ("helpful", "harmless"),
            "lattice",
            11,
            "experiment=cos_dpo_safe budget=full",
            (
                PaperColumn(
                    "HV",
                    "test DPO losses below (1.1, 1.1)",
                    "hypervolume_dpo_loss",
                    "run benchmark=preferences, which measures these losses",
                ),
            ),
            {
                "linear scalarisation, GPT-2": ("0.1767",),
                "DPO soup, GPT-2": ("0.1840",),
                "COS-DPO, GPT-2": ("0.1942",),
                "linear scalarisation, Alpaca-7B": ("0.1687",),
                "DPO soup, Alpaca-7B": ("0.1427",),
                "COS-DPO, Alpaca-7B": ("0.1689",),
            },
        ),
    ),
    (
        "It is unknown which 11 points of the simplex over five objectives were used; "
        "cos_dpo_mslr draws 11 at random.",
        "The paper gives relevance no weight; ours is the first of six weighted objectives, so "
        "less of it is kept.",
        "Unknown are the labels of the auxiliary columns, the cut-offs of the held-out pairs and "
        "the hardware behind the seconds.",
        "Linear scalarisation is `morl` with preference feedback, on its own coarse grid.",
    ),
)

_STANDARDISED_COLUMNS = (
    PaperColumn("HV", "standard units, ours above the table's reference", "hypervolume"),
    PaperColumn("MIP", "standard units", "mip"),
    PaperColumn("CRD", "standard units, lower is better", "crd"),
)

_MI_EPO = Paper(
    "MI-EPO (arXiv 2607.01392), second-hand",
    (
        PaperTable(
            "safety",
            "Alpaca-7B",
            ("safe", "helpful"),
            "lattice",
            11,
            "experiment=parm_safety method=mi_epo method.beta_dpo=null budget=full",
            _STANDARDISED_COLUMNS,
            {
                "Rewarded Soups": ("1.19", "0.43", "0.64"),
                "RiC": ("1.13", "0.58", "0.89"),
                "MO-ODPO": ("1.54", "0.82", "0.62"),
                "MI-EPO": ("2.70", "1.01", "0.29"),
            },
        ),
        PaperTable(
            "HH-RLHF",
            "Qwen3-8B",
            ("helpful", "harmless"),
            "",
            13,
            "benchmark=helpful_assistant benchmark.objectives=[helpful,harmless] model=hf "
            "model.path=Qwen/Qwen3-8B preferences=random preferences.count=13 budget=full",
            _STANDARDISED_COLUMNS,
            {
                "Rewarded Soups": ("0.68", "0.21", "0.58"),
                "RiC": ("0.46", "0.07", "1.05"),
                "MO-ODPO": ("1.68", "0.64", "0.57"),
                "MI-EPO": ("1.98", "0.68", "0.52"),
            },
        ),
    ),
    (
        "Unknown are the reference points, the reward models, what the rewards were standardised "
        "by, and the 13 preferences of HH-RLHF. Ours are standardised by the start model's "
        "samples.",
        "All numbers are second-hand: the paper itself could not be read. Its text states that HV "
        "rises by 68.8 % on safety; the table gives 75.3 %.",
    ),
)

_RIC = Paper(
    "RiC (arXiv 2402.10207, ICML 2024)",
    (
        PaperTable(
            "helpful assistant, three objectives",
            "Llama-2-7B",
            ("helpful", "harmless", "humour"),
            "ric13",
            13,
            "experiment=helpful_assistant benchmark.objectives=[helpful,harmless,humour] "
            "preferences=ric13 method=ric budget=full",
            (),
            {},
        ),
    ),
    (
        "No published numbers are known: the paper shows its fronts as figures, and its body could "
        "not be read. MI-EPO's rerun of RiC is in --paper mi_epo.",
        "Rewards are in the units of the reward models, with the normalisers that their author "
        "published for `helpful` and `harmless`; whether the figures use these is unknown.",
        "The released centre of the grid, (0.33, 0.33, 0.33), is off the simplex; 1/3 is used.",
    ),
)

PAPERS: Mapping[str, Paper] = {
    "parm": _PARM,
    "mi_epo": _MI_EPO,
    "ric": _RIC,
    "cos_dpo": _COS_DPO,
}
