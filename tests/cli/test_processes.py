"""The installed command in processes of its own: what it imports, and how fast it answers."""

import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = {"hydra", "matplotlib", "numpy", "omegaconf", "pandas", "pydantic", "torch"}
HEAVY |= {"transformers", "wandb"}


def imported(tmp_path: Path, *words: str) -> tuple[str, set[str]]:
    """Standard output of a command, and the top-level modules that it imported."""
    code = (
        "import sys; from paretosteer.commands.main import main\n"
        "try: code = main(sys.argv[1:])\n"
        "except SystemExit as stop: code = stop.code\n"
        "print(*{name.partition('.')[0] for name in sys.modules}, file=sys.stderr)\n"
        "sys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *words],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout, set(done.stderr.split())


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("sweep", "--help"), "paretosteer sweep experiment=five_methods"),
        (("report", "--help"), "--compare"),
        (("export-wandb", "--help"), "paretosteer export-wandb results/five_methods"),
        (("sample", "--help"), "paretosteer sample CELL --preference 0.3,0.7"),
        (("export", "--help"), "--as {model,peft}"),
        (("list", "methods"), "Rewarded Soup"),
        (("list", "experiments"), "five_methods"),
        (("list", "feedback"), "Listwise DPO"),
        (("list", "conditionings"), "Banks that share their outer factors"),
    ],
)
def test_help_and_lists_import_nothing_heavy(
    tmp_path: Path, words: tuple[str, ...], expected: str
) -> None:
    told, modules = imported(tmp_path, *words)
    assert expected in told
    assert not HEAVY & modules


def test_the_console_script_works_from_any_folder(tmp_path: Path) -> None:
    program = Path(sys.executable).with_name("paretosteer")
    done = subprocess.run(
        [program, "sweep", "metod=clp"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 2
    assert done.stderr == "paretosteer: metod: not a setting; did you mean 'method'?\n"
