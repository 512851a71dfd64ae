from typing import Annotated, Any, ClassVar, Literal

import pytest
from pydantic import Field, PositiveFloat, ValidationError

from paretosteer.config import options
from paretosteer.config.options import BaseOptions, option
from paretosteer.errors import UsageError


class Options(BaseOptions):
    rank: int = option(8, "rank of every bank", least=1)
    beta: float | None = option(0.7, "own weight", above=0, most=1)
    betas: tuple[float, ...] = option((0.6, 0.8), "candidates")
    steps: tuple[Annotated[float, Field(gt=0, le=0.95)], ...] = option((0.1,), "steps out")
    range: tuple[PositiveFloat, PositiveFloat] | None = option(None, "from, to")
    shared: bool = option(False, "one more bank")
    variant: Literal["full", "attention"] = option("full", "where")
    note: str = option("", "where something is", place=True)


class Merged(BaseOptions):
    feedback: ClassVar[str] = "pairs"

    kind: Literal["ties", "della", "soup"] = option("ties", "formula")
    condition: str = option("words", "how the preference is read")
    density: float | None = option(None, "share", unless={"kind": ("soup",)})
    epsilon: float = option(0.1, "spread", only={"kind": ("della",), "feedback": ("pairs",)})
    kappa: float | None = option(None, "weight", only={"feedback": ("reward",)})
    level: int = option(5, "of words", only={"condition": ("words",)}, unless={"kind": ("ties",)})
    hidden: int = option(64, "of vectors", only={"condition": ("vectors",)})
    rank: int = option(8, "of what is trained")
    paths: tuple[str, ...] = option((), "trained already", replaces=("rank",))


class Nothing(BaseOptions):
    pass


def build(**values: object) -> Options:
    return options.build(Options, {"name": "clp", **values}, prefix="method")


def test_only_lossless_conversions() -> None:
    built = build(rank=4, beta=1, betas=[1, 0.5], shared=True)
    assert built == Options(rank=4, beta=1.0, betas=(1.0, 0.5), shared=True)
    assert isinstance(built.beta, float)
    assert build(beta=None).beta is None


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"rnak": 4}, "method.rnak is not an option of clp; did you mean 'rank'?"),
        ({"rank": "8"}, "method.rank: found '8', expected a valid integer"),
        ({"rank": 8.5}, "method.rank: found 8.5, expected a valid integer"),
        ({"rank": True}, "method.rank: found True, expected a valid integer"),
        ({"beta": float("nan")}, "method.beta: found nan, expected a finite number"),
        ({"betas": [0.6, "x"]}, "method.betas[1]: found 'x', expected a valid number"),
        ({"shared": 1}, "method.shared: found 1, expected a valid boolean"),
        ({"variant": "ful"}, "method.variant: found 'ful', expected 'full' or 'attention'"),
        ({"rank": 0}, "method.rank: found 0, expected at least 1"),
        ({"beta": 0}, "method.beta: found 0, expected above 0"),
        ({"beta": 1.5}, "method.beta: found 1.5, expected at most 1"),
        ({"steps": [0.1, 0.96]}, "method.steps[1]: found 0.96, expected at most 0.95"),
        ({"range": [0, 1]}, "method.range[0]: found 0, expected above 0"),
        ({"rank": 0, "rnak": 4}, "method.rnak is not an option of clp; did you mean 'rank'?"),
    ],
)
def test_a_wrong_option_is_named(values: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError) as error:
        build(**values)
    assert str(error.value) == message


def test_a_method_without_options_says_so() -> None:
    with pytest.raises(UsageError, match=r"method.rank is not an option of start, which has none"):
        options.build(Nothing, {"name": "start", "rank": 1}, prefix="method")


def test_describe_shows_options_as_users_write_them() -> None:
    rows = {row.name: row for row in options.describe(Options)}
    assert (rows["beta"].type, rows["beta"].default) == ("float | null", "0.7")
    assert (rows["betas"].type, rows["betas"].default) == ("[float, ...]", "[0.6, 0.8]")
    assert (rows["variant"].type, rows["variant"].default) == ("full | attention", "full")
    assert rows["shared"].default == "false"
    assert rows["rank"].help == "rank of every bank"


@pytest.mark.parametrize(
    ("values", "label"),
    [
        ({}, "full"),
        ({"variant": "attention", "rank": 4}, "attention, rank=4"),
        ({"beta": None, "betas": [0.5, 1]}, "full, beta=none, betas=0.5/1"),
        ({"note": "mine"}, "full"),
    ],
)
def test_the_label_tells_what_differs(values: dict[str, object], label: str) -> None:
    assert options.variant(build(**values), {}) == label


def test_a_bare_option_is_always_told_and_a_place_never() -> None:
    class Mixed(BaseOptions):
        paths: tuple[str, ...] = option((), "folders", place=True)
        mix: str = option("sum", "how they are mixed", bare=True)
        beta: float = option(0.5, "own weight")

    assert options.variant(Mixed(paths=("a", "b")), {}) == "sum"
    assert options.variant(Mixed(mix="mean", beta=0.7), {}) == "mean, beta=0.7"


def test_defaults_need_no_label() -> None:
    assert options.variant(Nothing(), {}) == ""


def test_digests_see_every_option_but_places() -> None:
    seen = options.content(build(betas=[1, 0.5], note="there"))
    assert "note" not in seen
    assert (seen["rank"], seen["betas"]) == (8, (1.0, 0.5))


def test_options_are_frozen_and_every_default_is_its_own() -> None:
    class Mapped(BaseOptions):
        pairs: dict[str, str] = option({}, "by name")

    with pytest.raises(ValidationError, match="frozen"):
        build().rank = 4
    Mapped().pairs["a"] = "b"
    assert Mapped().pairs == {}


def test_defaults_are_plain_values() -> None:
    found = options.defaults(Options)
    assert (found["betas"], found["variant"], found["range"]) == ([0.6, 0.8], "full", None)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"kind": "soup", "density": 0.5}, "method.density: has no effect with kind=soup; leave"),
        (
            {"epsilon": 0.3},
            "method.epsilon: has no effect with kind=ties; set method.kind=della, or leave it out",
        ),
        ({"kappa": 0.3}, "method.kappa: has no effect with feedback=pairs; leave it out"),
        ({"level": 3}, "method.level: has no effect with kind=ties; leave it out"),
        (
            {"condition": "vectors", "kind": "della", "level": 3},
            "method.level: has no effect with condition=vectors; set method.condition=words, or",
        ),
        (
            {"paths": ("a",), "rank": 3},
            "method.rank: has no effect beside method.paths; leave one of them out",
        ),
    ],
)
def test_an_option_without_effect_is_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError) as error:
        options.check_effect(Merged(**values), {}, "method")
    assert message in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"density": 0.5},
        {"kind": "della", "epsilon": 0.3, "level": 3},
        {"kind": "soup", "density": 0.2},  # the benchmark's own value
        {"condition": "of_a_plugin", "hidden": 3},  # which may read it
        {"paths": ("a",), "rank": 8},  # the default
    ],
)
def test_an_option_with_effect_or_left_alone_is_accepted(values: dict[str, Any]) -> None:
    options.check_effect(Merged(**values), {"density": 0.2}, "method")


def test_where_an_option_has_an_effect_stands_behind_its_help() -> None:
    shown = {row.name: row.help for row in options.describe(Merged)}
    assert shown["density"] == "share [kind not soup]"
    assert shown["epsilon"] == "spread [kind=della]"
    assert shown["kappa"] == "weight [no effect in this method]"
    assert shown["rank"] == "of what is trained [paths not set]"
    assert shown["paths"] == "trained already"
