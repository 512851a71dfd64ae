"""The JSON Schemas in docs/schema are those of the models; `make generated` writes them."""

import json
import runpy
from pathlib import Path

import pydantic
import pytest
from packaging.version import Version

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.skipif(Version(pydantic.VERSION) < Version("2.11"), reason="words schemas otherwise")
def test_the_committed_schemas_are_current() -> None:
    expected = runpy.run_path(str(DOCS / "export_schemas.py"))["schemas"]()
    files = {path: path.relative_to(DOCS / "schema") for path in DOCS.glob("schema/**/*.json")}
    found = {
        place.with_suffix("").as_posix(): json.loads(path.read_text(encoding="utf-8"))
        for path, place in files.items()
    }
    assert found == json.loads(json.dumps(expected)), "run `make generated`"
