"""The public API: `paretosteer` lists its names, each of which can be imported."""

import subprocess
import sys

import paretosteer


def test_every_listed_name_can_be_imported() -> None:
    names = dir(paretosteer)
    assert {"Method", "Benchmark", "Banks", "Control", "option", "Trainer", "load_cells"} <= {
        *names
    }
    assert all(getattr(paretosteer, name) is not None for name in names)
    assert {*names} == {*paretosteer.__all__}


def test_importing_the_package_imports_nothing_heavy() -> None:
    heavy = "{'torch', 'numpy', 'pandas'} & {*sys.modules}"
    code = f"import paretosteer, sys; dir(paretosteer); print({heavy})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
