from pathlib import Path

import pytest

from paretosteer.storage.digest import chain, digest, file_digest, input_digest


def test_a_digest_depends_on_content_alone() -> None:
    assert digest({"a": 1, "b": [0.5, "é"]}) == digest({"b": (0.5, "é"), "a": 1})
    assert digest({"a": 1}) != digest({"a": 2})


def test_nan_has_no_digest() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        digest({"a": float("nan")})


def test_file_digest_is_sha256(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    assert file_digest(tmp_path / "empty").startswith("e3b0c44298fc1c14")


def test_an_input_is_read_again_once_it_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "data"
    path.write_text("one")
    first = input_digest(path)
    assert first == file_digest(path)
    with monkeypatch.context() as patched:
        patched.setattr(Path, "open", None)  # not read
        assert input_digest(path) == first
    path.write_text("another")
    assert input_digest(path) == file_digest(path) != first


def test_every_part_of_a_stage_counts() -> None:
    stages = [
        chain("train", {"rank": 8}, {"model": "x"}, {"clp": "1"}),
        chain("sample", {"rank": 8}, {"model": "x"}, {"clp": "1"}),
        chain("train", {"rank": 4}, {"model": "x"}, {"clp": "1"}),
        chain("train", {"rank": 8}, {"model": "y"}, {"clp": "1"}),
        chain("train", {"rank": 8}, {"model": "x"}, {"clp": "2"}),
    ]
    assert len(set(stages)) == len(stages)
