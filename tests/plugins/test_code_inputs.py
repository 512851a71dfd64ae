"""What else the code of a plug-in depends on: environment variables and installed packages."""

import sys
import zipfile
import zipimport
from pathlib import Path

import pytest
from fake_packages import METHOD, install

from paretosteer.plugins import in_use, local_modules, registry
from paretosteer.plugins.local_modules import sources_digests
from paretosteer.runtime import libraries
from paretosteer.runtime.libraries import library_versions
from paretosteer.storage.origin import differences, origin
from paretosteer.text.rewards import RewardSpec, reward_digest
from paretosteer.text.rewards.remote_code import trust


@pytest.mark.parametrize(
    ("source", "counts"),
    [
        ('import os\nX = os.environ["OWN_SCALE"]', True),
        ('import os\ndef scale():\n    return os.environ.get("OWN_SCALE", "1")', True),
        ('from os import environ, getenv\nX = environ.get("OWN_SCALE")', True),
        ('from os import getenv\nX = getenv("OWN_SCALE")', True),
        ("from own_scale import X", True),
        ('import os\nX = "OWN_SCALE" in os.environ', True),
        ('import os\nX = os.getenv(key="OWN_SCALE")', True),
        ('import os\nos.environ["OWN_SCALE"] = "1"', False),
        ('import os\nos.environ.setdefault("OWN_SCALE", "1")\nX = os.environ["OWN_SCALE"]', False),
        ('X = {}.get("OWN_SCALE")', False),
    ],
)
def test_a_variable_that_is_read_is_part_of_the_code(
    source: str, counts: bool, site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (site / "own_scale.py").write_text('import os\nX = os.environ.get("OWN_SCALE")\n')
    found = []
    for value in ("1", "2", None):
        monkeypatch.delenv("OWN_SCALE", raising=False)
        if value:
            monkeypatch.setenv("OWN_SCALE", value)
        digests = sources_digests([(source.encode(), site)])
        found.append(str(digests))
    assert len(set(found)) == (3 if counts else 1)
    assert "'2'" not in found[1]  # the value itself is recorded nowhere


@pytest.mark.parametrize("name", ["HOME", "TMPDIR", "SLURM_JOB_ID", "HF_HOME", "OWN_API_KEY"])
def test_variables_of_the_place_and_secrets_are_not(
    name: str, site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "one")
    source = f'import os\nX = os.environ["{name}"]'
    assert not sources_digests([(source.encode(), site)])


def test_a_new_version_of_an_imported_package_is_noted(
    site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(libraries, "_further", {})
    monkeypatch.setattr(local_modules, "_distributions", lambda: {"own_stats": ["own_stats"]})
    install(site, "own_stats", {}, {"words.py": ""})
    source = b"import numpy, os\ndef late():\n    from own_stats.words import syllables\n"
    assert sources_digests([(source, site)]) == {}
    assert library_versions()["own_stats"] == "1.0"
    (about,) = site.glob("*.dist-info")
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: own_stats\nVersion: 1.1\n")
    sys.path_importer_cache.clear()
    assert sources_digests([(source, site)]) == {}
    made, here = (
        origin({"own_stats": each}, None) for each in ("1.0", library_versions()["own_stats"])
    )
    assert differences(made, here) == ["own_stats 1.0 (here 1.1)"]
    assert differences(made, origin({}, None)) == []


def test_code_of_a_package_covers_its_data_and_what_it_imports(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.syspath_prepend(elsewhere)
    (elsewhere / "own_tools.py").write_text("ONE = 1\n")
    entries = {"methods": {"sharp": "sharper.sharp:Sharp"}}
    start = "import own_tools\nWORDS = 'words.txt'\n"
    install(site, "sharper", entries, {"sharp.py": METHOD.lstrip() + start, "words.txt": "a"})
    (site / "sharper" / "lists").mkdir()
    (site / "sharper" / "lists" / "more.csv").write_text("a")
    (site / "sharper" / "__pycache__").mkdir(exist_ok=True)
    found = set()
    for edited in (
        None,
        site / "sharper" / "words.txt",
        site / "sharper" / "lists" / "more.csv",  # its name is not in the source
        elsewhere / "own_tools.py",
    ):
        if edited:
            edited.write_text(edited.read_text() + "#\n")
        in_use._package_digest.cache_clear()
        offer = registry.find("methods", "sharp")
        assert offer is not None and offer.package == "sharper"
        found.add(str(in_use.digests([offer])))
    assert len(found) == 4
    (site / "sharper" / "__pycache__" / "sharp.pyc").write_bytes(b"a")
    (site / "sharper" / "outputs").mkdir()
    (site / "sharper" / "outputs" / "run.csv").write_text("a")
    in_use._package_digest.cache_clear()
    assert str(in_use.digests([offer])) in found


def test_code_of_a_trusted_reward_model_covers_what_it_imports_and_reads(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PARETOSTEER_TRUST_REMOTE_CODE", "")
    folder, words, tools = tmp_path / "model", tmp_path / "words.txt", site / "own_tools.py"
    folder.mkdir()
    (folder / "config.json").write_text('{"model_type": "llama"}')
    (folder / "model.safetensors").write_text("")
    (folder / "modeling_own.py").write_text(
        f'def f():\n    import own_tools\n    open("{words}")\n'
    )
    found = set()
    for edited in (None, words, tools):
        for file in filter(None, [edited] if edited else [words, tools]):
            file.write_text("1\n" if edited is None else "2\n")
        trust(str(folder))
        found.add(reward_digest(RewardSpec.of(str(folder), "calm")))
    trust(None)
    untrusted = reward_digest(RewardSpec.of(str(folder), "calm"))
    words.write_text("3\n")
    assert reward_digest(RewardSpec.of(str(folder), "calm")) == untrusted
    assert len(found | {untrusted}) == 4


@pytest.mark.parametrize("place", ["own_zipped.py", "own_zipped/__init__.py", "own_zipped/more.py"])
def test_modules_in_a_zip_file_are_part_of_the_code(
    place: str, site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = site / "modules.zip"
    monkeypatch.syspath_prepend(archive)
    found = []
    for text in ("ONE = 1", "ONE = 2"):
        with zipfile.ZipFile(archive, "w") as file:
            file.writestr(place, text)
            if place.endswith("more.py"):
                file.writestr("own_zipped/__init__.py", "")
        sys.path_importer_cache.clear()
        zipimport._zip_directory_cache.clear()
        found.append(sources_digests([(b"import own_zipped", site)]))
    assert found[0] != found[1]
    assert [*found[0]] == ["modules.zip"]
