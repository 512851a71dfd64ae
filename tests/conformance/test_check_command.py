"""`paretosteer check` on the command line: lines, exit codes, JSON, and a fast --help."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from paretosteer import conformance
from paretosteer.commands.main import main
from paretosteer.conformance import Finding

HEAVY = {"hydra", "numpy", "omegaconf", "pandas", "pydantic", "torch", "transformers"}
FOUND = [
    Finding("ok", "interface", "It has everything"),
    Finding("note", "orientation", "does not steer"),
    Finding("fault", "controls", "a control is not \x1b[31mfinite", "mind weights of 0"),
]


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> list[Finding]:
    """Findings of the check, for tests to change."""
    findings = list(FOUND)
    monkeypatch.setattr(conformance, "check_method", lambda name, *overrides: findings)
    return findings


def test_one_line_each_and_1_with_a_fault(
    found: list[Finding], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", "method", "mine"]) == 1
    assert capsys.readouterr().out.splitlines() == [
        "ok     interface: It has everything",
        "note   orientation: does not steer",
        "fault  controls: a control is not \\x1b[31mfinite; mind weights of 0",
        "1 passed, 1 note, 1 fault",
    ]
    found.pop()
    assert main(["check", "method", "mine"]) == 0


def test_as_json(found: list[Finding], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "method", "mine", "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert [Finding(**each) for each in told] == found


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["method", "clpp"], "'clpp' is not a registered method; did you mean 'clp'?"),
        (["benchmark", "bandit", "benchmark.actions=one"], "benchmark.actions: found 'one'"),
        (["method", "adapters"], "method.paths: 0 adapters for 2 objectives"),
    ],
)
def test_bad_usage_is_one_line_and_2(
    words: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", *words]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert told in line


def test_what_trainings_say_is_no_finding(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "method", "rewarded_soup", "budget.steps=8"]) == 0
    assert not capsys.readouterr().err


@pytest.mark.slow
def test_in_a_process_of_its_own(tmp_path: Path) -> None:
    program = Path(sys.executable).with_name("paretosteer")
    words = ["check", "method", "start", "method=start", "benchmark=bandit", "seed=3"]
    done = subprocess.run([program, *words], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "note   orientation: does not steer" in done.stdout
    assert not done.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("words", [["check", "--help"], ["new", "--help"]])
def test_help_imports_nothing_heavy(words: list[str]) -> None:
    code = (
        "import sys; from paretosteer.commands.main import main\n"
        "try: main(sys.argv[1:])\n"
        "except SystemExit: print(*{name.partition('.')[0] for name in sys.modules})"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *words], capture_output=True, text=True, check=True
    )
    assert f"paretosteer {words[0]} method" in done.stdout
    assert not HEAVY & set(done.stdout.splitlines()[-1].split())
