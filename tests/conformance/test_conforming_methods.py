"""Built-in methods conform; every check finds the method that is broken in its way."""

import sys
from collections.abc import Iterator
from types import ModuleType

import pytest
import torch
from broken_methods import METHODS, NOTES, PlainArray, SeesTheDraw, Sound

from paretosteer.conformance import Finding, check_method, faults
from paretosteer.conformance.class_checks import CLASS_CHECKS
from paretosteer.conformance.method_checks import METHOD_CHECKS
from paretosteer.errors import UsageError

STEPS = "budget.steps=40"
FEW_SECONDS = ["rewarded_soup", "clp"]
MANY_SECONDS = [
    *("bone_soup", "cos_dpo", "interpolation", "morl", "modpo"),
    *("panacea", "pblora", "pareto_merging"),
    *("mo_odpo", "mi_epo", "ric"),
    "merge",
    *("mod", "genarm", "parm"),
]
TRAINED = [*FEW_SECONDS, *(pytest.param(name, marks=pytest.mark.slow) for name in MANY_SECONDS)]


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    """Undo process-wide settings of a broken method after its test."""
    yield
    torch.use_deterministic_algorithms(False)


def lines(found: list[Finding], level: str, check: str) -> list[str]:
    return [f.found for f in found if (f.severity, f.check) == (level, check)]


@pytest.mark.parametrize("name", TRAINED)
def test_a_built_in_method_conforms_and_steers(name: str) -> None:
    found = check_method(name)
    assert {finding.severity for finding in found} == {"ok"}, "\n".join(map(str, found))
    assert len(found) == len(CLASS_CHECKS) + len(METHOD_CHECKS)


def test_a_method_that_trains_nothing_conforms_and_steers() -> None:
    found = check_method("best_of_n")
    assert not faults(found), "\n".join(map(str, found))
    assert lines(found, "ok", "orientation")


@pytest.mark.parametrize("name", [pytest.param("rewarded_soup", marks=pytest.mark.slow), "cos_dpo"])
def test_it_is_checked_elsewhere_on_request(name: str) -> None:
    found = check_method(name, "benchmark=bandit", "benchmark.policy=mlp", "budget.steps=40")
    assert not faults(found), "\n".join(map(str, found))


@pytest.mark.parametrize(
    ("name", "overrides"), [("start", []), ("cos_dpo", ["method.condition=none"])]
)
def test_what_does_not_steer_is_noted_and_no_fault(name: str, overrides: list[str]) -> None:
    found = check_method(name, *overrides)
    assert not faults(found)
    (told,) = lines(found, "note", "orientation")
    assert told.startswith("does not steer")


@pytest.mark.parametrize("method", [Sound, SeesTheDraw])
def test_a_class_is_checked_without_being_registered(method: type) -> None:
    found = check_method(method, "method.rank=4", STEPS)
    assert {finding.severity for finding in found} == {"ok"}, "\n".join(map(str, found))


def test_a_wrong_control_is_the_only_fault_it_causes() -> None:
    (fault,) = faults(check_method(PlainArray, STEPS))
    assert str(fault).endswith("return a Control, such as Control.soup(weights)")


@pytest.mark.parametrize(("method", "check", "told"), METHODS)
def test_a_broken_method_is_found(method: type, check: str, told: str) -> None:
    found = check_method(method, STEPS)
    assert any(told in line for line in lines(found, "fault", check)), "\n".join(map(str, found))
    for finding in faults(found):
        assert finding.remedy and "\n" not in str(finding)


@pytest.mark.parametrize(("method", "check", "told"), NOTES)
def test_what_is_worth_knowing_is_noted(method: type, check: str, told: str) -> None:
    found = check_method(method, STEPS)
    assert not faults(found)
    assert any(told in line for line in lines(found, "note", check))


def test_a_module_that_says_nothing_of_itself_is_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "silent", ModuleType("silent"))
    monkeypatch.setattr(Sound, "__module__", "silent")
    (told,) = lines(check_method(Sound, STEPS), "note", "interface")
    assert told == "its module has no docstring"


def test_every_check_has_been_seen_to_fail() -> None:
    checks = {check.__name__.replace("_", " ") for check in (*CLASS_CHECKS, *METHOD_CHECKS)}
    assert {check for _, check, _ in METHODS} == checks


def test_a_crash_is_one_finding_and_the_rest_goes_on() -> None:
    stops = next(method for method, *_ in METHODS if method.__name__ == "Stops")
    found = check_method(stops, STEPS)
    assert [finding.check for finding in faults(found)] == ["training"]
    assert lines(found, "ok", "planning")
    assert lines(found, "note", "controls") == ["not checked: training failed"]


@pytest.mark.parametrize(
    ("overrides", "told"),
    [
        (["method.rnak=4"], "did you mean 'rank'"),
        (["method.rank=many"], "method.rank: found 'many'"),
        (["benchmark=bandti"], "did you mean 'bandit'"),
    ],
)
def test_wrong_overrides_are_the_users(overrides: list[str], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        check_method("rewarded_soup", *overrides)
    if overrides[0].startswith("method."):
        with pytest.raises(UsageError, match=told):
            check_method(Sound, *overrides)


def test_a_method_that_the_benchmark_cannot_serve_is_checked_elsewhere() -> None:
    with pytest.raises(
        UsageError, match="clp cannot be checked on bandit: this benchmark's network"
    ):
        check_method("clp", "method.variant=attention")
