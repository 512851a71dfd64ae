"""Built-in benchmarks conform; every check finds the benchmark that is broken in its way."""

from pathlib import Path

import pytest
from broken_benchmarks import BENCHMARKS, NOTES, NoPrompts, Shown, Unbuilt
from small_model import write_lora, write_model

from paretosteer.conformance import Finding, check_benchmark, check_method, faults
from paretosteer.conformance.benchmark_checks import DECLARATION_CHECKS, SAMPLING_CHECKS
from paretosteer.conformance.class_checks import CLASS_CHECKS
from paretosteer.errors import UsageError

# Short texts of an untrained model: what is checked is not what it writes.
STORIES = [
    *("benchmark.max_new_tokens=8", "benchmark.min_new_tokens=0", "benchmark.pool_prompts=16"),
    *("model=hf", "device=cpu"),
]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("llama") / "model")


def lines(found: list[Finding], level: str, check: str) -> list[str]:
    return [f.found for f in found if (f.severity, f.check) == (level, check)]


@pytest.mark.parametrize(
    ("name", "overrides"),
    [
        ("bandit", []),
        ("bandit", ["benchmark.policy=mlp", "benchmark.objectives=4"]),
        ("ranking", []),
        ("ranking", ["benchmark.attention=true"]),
    ],
)
def test_a_built_in_benchmark_conforms(name: str, overrides: list[str]) -> None:
    found = check_benchmark(name, *overrides)
    assert not faults(found), "\n".join(map(str, found))


def test_stories_conform_on_a_model_of_ones_own(model: Path) -> None:
    found = check_benchmark("stories", *STORIES, f"model.path={model}")
    assert not faults(found), "\n".join(map(str, found))
    for check in ("odd samples", "recall", "start policy"):
        assert lines(found, "ok", check)


@pytest.mark.slow
def test_adapters_conform_where_there_is_text(model: Path, tmp_path: Path) -> None:
    paths = ",".join(
        str(write_lora(tmp_path / name, model, seed)) for seed, name in enumerate(("one", "two"))
    )
    world = ["benchmark=stories", *STORIES, f"model.path={model}"]
    found = check_method("adapters", *world, f"method.paths=[{paths}]")
    assert not faults(found), "\n".join(map(str, found))


@pytest.mark.slow
@pytest.mark.parametrize("overrides", [["method.variant=attention"], ["method.variant=prompt"]])
def test_methods_conform_on_text(overrides: list[str], model: Path) -> None:
    found = check_method("clp", "benchmark=stories", *STORIES, f"model.path={model}", *overrides)
    assert not faults(found), "\n".join(map(str, found))


def test_a_class_that_shows_its_samples_conforms_without_being_registered() -> None:
    found = check_benchmark(Shown, "benchmark.actions=12")
    assert not faults(found), "\n".join(map(str, found))
    assert lines(found, "ok", "odd samples") and lines(found, "ok", "recall")


@pytest.mark.parametrize(("benchmark", "check", "told"), BENCHMARKS)
def test_a_broken_benchmark_is_found(benchmark: type, check: str, told: str) -> None:
    found = check_benchmark(benchmark)
    assert any(told in line for line in lines(found, "fault", check)), "\n".join(map(str, found))
    for finding in faults(found):
        assert finding.remedy and "\n" not in str(finding)


@pytest.mark.parametrize(("benchmark", "check", "told"), NOTES)
def test_what_is_worth_knowing_is_noted(benchmark: type, check: str, told: str) -> None:
    found = check_benchmark(benchmark)
    assert any(told in line for line in lines(found, "note", check))


def test_every_check_has_been_seen_to_fail() -> None:
    checks = {
        check.__name__.replace("_", " ")
        for check in (*CLASS_CHECKS, *DECLARATION_CHECKS, *SAMPLING_CHECKS)
    }
    assert {check for _, check, _ in BENCHMARKS} == checks


def test_one_that_cannot_be_built_is_a_finding() -> None:
    found = check_benchmark(Unbuilt)
    (told,) = lines(found, "fault", "building")
    assert told.startswith("stopped by SystemExit: sys.exit('no licence') was called (broken_")


def test_without_prompts_nothing_is_sampled() -> None:
    found = check_benchmark(NoPrompts)  # it would look for the next training prompt for ever
    assert {finding.check for finding in faults(found)} == {"splits"}
    assert found[-1].found == "not checked: fix the splits first"


def test_wrong_overrides_are_the_users() -> None:
    with pytest.raises(UsageError, match="actoins is not an option of bandit"):
        check_benchmark("bandit", "benchmark.actoins=3")
    with pytest.raises(UsageError, match="'bandti' is not a registered benchmark"):
        check_benchmark("bandti")
