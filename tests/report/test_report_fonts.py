"""Figures whose names are in scripts that matplotlib's own font does not have."""

import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from matplotlib import font_manager
from report_cells import concave, only, write_cell

from paretosteer.report import write_report
from paretosteer.report.figures import fonts
from paretosteer.report.figures.all_figures import FRONTS, render

pytestmark = pytest.mark.figures


@pytest.fixture(autouse=True)
def installed(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Fonts of the machine: those that a test appends."""
    paths: list[str] = []
    monkeypatch.setattr(font_manager, "findSystemFonts", lambda: paths)
    fonts._fallbacks.cache_clear()
    before = list(font_manager.fontManager.ttflist)
    yield paths
    font_manager.fontManager.ttflist[:] = before
    fonts._fallbacks.cache_clear()


def make_font(folder: Path, family: str, characters: str) -> str:
    """Font file whose glyphs are squares."""
    pen = TTGlyphPen(None)
    pen.moveTo((0, 0))
    for corner in ((0, 900), (900, 900), (900, 0)):
        pen.lineTo(corner)
    pen.closePath()
    square = pen.glyph()
    names = {ord(each): f"u{ord(each):04X}" for each in characters}
    glyphs = [".notdef", *names.values()]
    builder = FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder(glyphs)
    builder.setupCharacterMap(names)
    builder.setupGlyf(dict.fromkeys(glyphs, square))
    builder.setupHorizontalMetrics(dict.fromkeys(glyphs, (1000, 0)))
    builder.setupHorizontalHeader(ascent=900, descent=-100)
    builder.setupNameTable({"familyName": family, "styleName": "Regular"})
    builder.setupOS2()
    builder.setupPost()
    path = folder / f"{family}.ttf"
    builder.save(path)
    return str(path)


@pytest.mark.parametrize(
    ("names", "script", "remedy"),
    [
        (("有用", "无害"), "CJK", "fonts-noto-cjk"),
        (("役に立つ", "カナ"), "CJK, Hiragana, Katakana", "fonts-noto-cjk"),
        (("유용", "무해"), "Hangul", "fonts-noto-cjk"),
        (("कख", "helpful"), "Devanagari", "fonts-noto-core"),
        (("helpful", "\U0001fae0"), "emoji", "fonts-symbola"),
    ],
)
def test_one_warning_names_the_script_and_the_remedy(
    names: tuple[str, str],
    script: str,
    remedy: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    write_cell(tmp_path, "clp", concave(2.0), names=names)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        write_report([tmp_path])
    (line,) = capsys.readouterr().err.splitlines()
    assert f"no installed font has {script} characters" in line
    assert remedy in line


@pytest.mark.parametrize("text", ["helpful", "été", "польза", "مفيد", "\u2764\ufe0f"])
def test_no_warning_where_the_own_font_is_enough(text: str) -> None:
    assert fonts.families(text) == ["DejaVu Sans"]
    assert not fonts.missing_note(text)


def test_an_installed_font_is_used(tmp_path: Path, installed: list[str]) -> None:
    write_cell(tmp_path / "sweep", "clp", concave(2.0), names=("有用", "무해"))
    result = only(tmp_path / "sweep")
    boxes = render(result, FRONTS, "svg")
    installed += [make_font(tmp_path, "Chinese", "有用"), make_font(tmp_path, "Korean", "무해")]
    fonts._fallbacks.cache_clear()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert render(result, FRONTS, "svg") != boxes
        assert render(result, FRONTS, "png")
    assert set(fonts.families("有用무해 a")) == {"DejaVu Sans", "Chinese", "Korean"}
    assert not fonts.missing_note("有用무해")


def test_the_fewest_fonts_are_used(tmp_path: Path, installed: list[str]) -> None:
    (tmp_path / "broken.ttf").write_text("not a font")
    installed += [
        str(tmp_path / "broken.ttf"),
        make_font(tmp_path, "A Part", "有"),
        make_font(tmp_path, "LastResort", "有用害"),
        make_font(tmp_path, "Some Color Emoji", "有用害"),
        make_font(tmp_path, "Whole", "有用"),
    ]
    assert fonts.families("有用") == ["DejaVu Sans", "Whole"]
    assert "(害)" in fonts.missing_note("有用害")
