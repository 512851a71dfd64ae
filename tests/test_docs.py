"""Every method has a page, links lead somewhere, and generated tables are current."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from paretosteer.cells.record import read_record
from paretosteer.commands.list import _experiments
from paretosteer.commands.option_rows import option_rows
from paretosteer.method import TrainingOptions
from paretosteer.plugins import registry
from paretosteer.report.columns import documented

ROOT = Path(__file__).parents[1]
DOCUMENTS = [*sorted((ROOT / "docs").rglob("*.md")), ROOT / "README.md"]
LINK = re.compile(r"\]\(([^)\s]+)\)")


def anchors(document: Path) -> set[str]:
    """Anchors of a document's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", document.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(document: Path) -> None:
    for link in LINK.findall(document.read_text(encoding="utf-8")):
        if "://" in link or link.startswith("mailto:"):
            continue
        path, _, anchor = link.partition("#")
        target = (document.parent / path).resolve() if path else document
        assert target.exists(), link
        if anchor:
            assert anchor in anchors(target), link


def test_every_method_has_its_page() -> None:
    methods = {name for name in registry.names("methods") if registry.is_built_in("methods", name)}
    assert methods <= {page.stem for page in (ROOT / "docs" / "methods").glob("*.md")}
    index = (ROOT / "docs" / "methods.md").read_text(encoding="utf-8")
    assert methods <= set(re.findall(r"methods/(\w+)\.md", index))


def test_pages_of_trained_methods_link_the_training_options() -> None:
    for name in registry.names("methods"):
        if not registry.is_built_in("methods", name):
            continue
        page = (ROOT / "docs" / "methods" / f"{name}.md").read_text(encoding="utf-8")
        trained = issubclass(registry.load("methods", name).Options, TrainingOptions)
        assert trained == ("../methods.md#training-options" in page), name


def test_every_cost_of_a_cell_is_a_documented_column() -> None:
    record = read_record(next((ROOT / "results" / "reference" / "field" / "records").iterdir()))
    documented_names = {column.name for column in documented()}
    assert {f"seconds_{phase}" for phase in record.cost.seconds} <= documented_names


def test_generated_tables_are_current(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "docs"))
    import generated  # type: ignore[import-not-found]

    for page in generated.pages():
        text = page.read_text(encoding="utf-8")
        assert text == generated.regenerated(text), f"{page}: run `make generated`"


def test_generated_tables_follow_the_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "docs"))
    import generated

    assert "| `budget.test_prompts` | `4` | `null` | `null` |" in generated._budgets()
    keys = generated._configuration("config.yaml")
    assert (
        "| `seed` | `0` | seed of training" in keys
        and "| `report.raw_reference` | `null` |" in keys
    )
    assert "hydra" not in keys
    assert "| `preferences.count` | `21` |" in generated._group("preferences")
    assert "`experiment=five_methods`" in generated._experiments()
    assert "with 80 % power" in generated._commands()
    assert "| `benchmark=stories` | 4 | 120 | 1,000 | 0.006 |" in generated._training_defaults()
    assert "true value at least 0; inputs: preferences, scores" in generated._row_metrics()
    assert "on no hub. |" in generated._experiments()  # the second line of its comment
    assert "`model.path`" not in generated._group("model").partition("**`model=hf`**")[0]
    launchers = generated._launchers()
    assert "needs `pip install 'paretosteer[joblib]'`. If a\nworker is killed" in launchers
    assert "\nhydra:\n  launcher:\n    partition: null #" in launchers
    assert "callbacks" not in launchers


def test_comments_of_configuration_files_are_sentences(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "docs"))
    import generated

    groups = map(generated._group, ("model", "preferences", "tracker", "engine"))
    texts = [text for group in [*groups, generated._launchers()] for text in group.split("\n\n")]
    ends = [text for text in texts if text.startswith("**")] + list(_experiments().values())
    assert [text for text in ends if not text.endswith(".")] == []


def test_commands_quote_brackets_for_the_shell() -> None:
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    lines = [line for page in pages for line in page.read_text(encoding="utf-8").splitlines()]
    commands = [line for line in lines if re.match(r"\s*paretosteer \w", line)]
    bare = [re.sub(r"'[^']*'|\"[^\"]*\"", "", command) for command in commands]
    assert len(bare) > 50 and [each for each in bare if re.search(r"[\[\](){}]", each)] == []


def test_every_method_page_has_all_of_its_options() -> None:
    for name in registry.names("methods"):
        if registry.is_built_in("methods", name):
            page = (ROOT / "docs" / "methods" / f"{name}.md").read_text(encoding="utf-8")
            assert f"<!-- generated: options {name} -->" in page


def test_shared_options_are_named_beside_a_method_s_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "docs"))
    import generated

    for name in ("clp", "merge", "modpo", "cos_dpo", "start"):
        shown = generated._options("methods", name)
        for row in option_rows(registry.load("methods", name).Options):
            assert (f"`{row.name}`" in shown) == ("no effect" not in row.help), (name, row.name)
    assert "| `rank` |" not in generated._options("methods", "clp")
    assert "| `rank` | `int` | `4` |" in generated._options("methods", "cos_dpo")
    assert "[paths not set]" in generated._options("methods", "merge")


def test_tables_have_no_bar_within_a_cell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "docs"))
    import generated

    assert generated._cell("one of a | b | c, `x`") == "one of a, b or c, `x`"
    assert generated._cell("p(y|x) < 1") == r"p(y\|x) &lt; 1"
    with pytest.raises(AssertionError):
        generated._cell("`p(y|x)`")


@pytest.mark.slow
@pytest.mark.skipif(not (ROOT / "build" / "typed").is_dir(), reason="run `make typed` first")
def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)]
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    built = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    columns = (tmp_path / "reference" / "columns.html").read_text(encoding="utf-8")
    assert "hypervolume_ratio" in columns
    method = (tmp_path / "methods" / "clp.html").read_text(encoding="utf-8")
    assert '<math xmlns="http://www.w3.org/1998/Math/MathML" display="block">' in method
    benchmarks = (tmp_path / "reference" / "benchmarks.html").read_text(encoding="utf-8")
    assert "<code>float</code> or <code>null</code>" in benchmarks
    api = (tmp_path / "reference" / "api.html").read_text(encoding="utf-8")
    assert "doc-contents" in api and "<!-- api" not in api
    for page in tmp_path.rglob("*.html"):
        assert "arithmatex" not in page.read_text(encoding="utf-8"), page
