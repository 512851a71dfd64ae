from dataclasses import dataclass, field
from typing import Literal

import pytest

from paretosteer.config import options
from paretosteer.config.options import option
from paretosteer.errors import UsageError


@dataclass(frozen=True)
class Options:
    rank: int = field(default=8, metadata={"help": "rank of every bank"})
    beta: float | None = field(default=0.7, metadata={"help": "own weight"})
    betas: tuple[float, ...] = field(default=(0.6, 0.8), metadata={"help": "candidates"})
    shared: bool = field(default=False, metadata={"help": "one more bank"})
    variant: Literal["full", "attention"] = field(default="full", metadata={"help": "where"})
    note: str = field(default="", metadata={"help": "free text", "label": False})


@dataclass(frozen=True)
class Nothing:
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
    @dataclass(frozen=True)
    class Mixed:
        paths: tuple[str, ...] = option((), "folders", place=True)
        mix: str = option("sum", "how they are mixed", bare=True)
        beta: float = option(0.5, "own weight")

    assert options.variant(Mixed(("a", "b")), {}) == "sum"
    assert options.variant(Mixed(mix="mean", beta=0.7), {}) == "mean, beta=0.7"


def test_defaults_need_no_label() -> None:
    assert options.variant(Nothing(), {}) == ""


def test_an_option_that_came_later_is_in_digests_where_it_says_something() -> None:
    @dataclass(frozen=True)
    class Grown:
        rank: int = option(8, "rank")
        dropout: float = option(0.0, "share left out", later=True)

    assert options.content(Grown()) == {"rank": 8}
    assert options.content(Grown(dropout=0.1)) == {"rank": 8, "dropout": 0.1}
