"""Every method has a page, and every relative link of the documents leads somewhere."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from paretosteer.cells.record import read_record
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
    record = read_record(next((ROOT / "results" / "reference" / "records").iterdir()))
    documented_names = {column.name for column in documented()}
    assert {f"seconds_{phase}" for phase in record.cost.seconds} <= documented_names


def test_pages_with_generated_tables_name_another_way_to_read_them() -> None:
    for page in (ROOT / "docs").rglob("*.md"):
        text = page.read_text(encoding="utf-8")
        assert "{{" not in text or "`make docs`" in text, page


def test_configuration_tables_follow_the_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "docs"))
    import generated  # type: ignore[import-not-found]

    assert "| `budget.test_prompts` | `4` | `null` | `null` |" in generated._budgets()
    keys = generated._configuration("config.yaml")
    assert (
        "| `seed` | `0` | seed of training" in keys
        and "| `report.raw_reference` | `null` |" in keys
    )
    assert "hydra" not in keys
    assert "| `preferences.count` | `21` |" in generated._group("preferences")
    assert "`experiment=five_methods`" in generated._experiments()


@pytest.mark.slow
@pytest.mark.skipif(not (ROOT / "build" / "typed").is_dir(), reason="run `make typed` first")
def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)]
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    built = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    columns = (tmp_path / "reference" / "columns" / "index.html").read_text(encoding="utf-8")
    assert "hypervolume_ratio" in columns
    assert "{{" not in "".join(
        page.read_text() for page in (tmp_path / "reference").rglob("*.html")
    )
