"""The layout of the repository: names that can be searched for, and few modules at the top."""

import ast
import re
from collections import defaultdict
from pathlib import Path

import pytest

from paretosteer.plugins import registry

ROOT = Path(__file__).parent.parent
PACKAGES = ("paretosteer", "methods", "benchmarks", "metrics")
# Every benchmark has its contract and its policy in files of these names.
SHARED = {"__init__.py", "benchmark.py", "policy.py"}
# Names of methods and benchmarks that are English words too.
WORDS = {"adapters", "interpolation", "merge", "start", "preferences", "ranking", "stories"}


def modules() -> list[Path]:
    found = [path for package in PACKAGES for path in (ROOT / package).rglob("*.py")]
    # A metric's `evaluate` module bears its folder's name, a template is a package of its own.
    return [path for path in found if not {"hub", "templates"} & {*path.parts}]


def test_no_two_modules_share_a_basename() -> None:
    places = defaultdict(list)
    for path in modules():
        places[path.name].append(path.relative_to(ROOT).as_posix())
    shared = {name: paths for name, paths in places.items() if len(paths) > 1}
    assert {name: shared[name] for name in shared.keys() - SHARED} == {}


def test_few_modules_lie_directly_in_the_package() -> None:
    top = [path.name for path in (ROOT / "paretosteer").glob("*.py")]
    assert len(top) <= 13, sorted(top)


@pytest.mark.parametrize("package", PACKAGES)
def test_every_package_is_installed(package: str) -> None:
    """setuptools maps folders to subpackages by a list, which a new folder must join."""
    listed = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    for path in (ROOT / package).rglob("__init__.py"):
        parts = path.parent.relative_to(ROOT).parts
        name = ".".join(parts if parts[0] == "paretosteer" else ("paretosteer", *parts))
        if not {"hub", "templates"} & {*parts}:
            assert f'"{name}",' in listed, f"{name} is missing from [tool.setuptools] packages"


def code(path: Path) -> str:
    """Source of a module without comments and docstrings, which may cite anything."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        documented = isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        if documented and ast.get_docstring(node) is not None:
            node.body = [*node.body[1:], ast.Pass()]
    return ast.unparse(tree)


@pytest.mark.parametrize(
    ("package", "others", "setting"),
    [("benchmarks", "methods", "method"), ("methods", "benchmarks", "benchmark")],
)
def test_no_benchmark_names_a_method_and_no_method_a_benchmark(package, others, setting) -> None:
    """import-linter forbids imports between them; this, names in the code."""
    names = {*registry.names(others)} - WORDS
    assert len(names) > 5
    named = re.compile(rf"\b(?:{'|'.join(sorted(names))})\b|\b{setting}=[a-z]", re.IGNORECASE)
    found = {
        path.relative_to(ROOT).as_posix(): match[0]
        for path in (ROOT / package).rglob("*.py")
        if (match := named.search(code(path)))
    }
    assert found == {}
