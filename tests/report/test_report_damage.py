"""Rows whose texts are usually damaged are marked in every output."""

import pytest
from report_cells import concave, write_cell

from paretosteer.report import Report, print_leaderboard, write_report


@pytest.fixture(scope="module")
def drifted(tmp_path_factory: pytest.TempPathFactory) -> Report:
    folder = tmp_path_factory.mktemp("drifted")
    write_cell(folder, "bone_soup", concave(2.4), kl=49.5)
    write_cell(folder, "clp", concave(2.0), kl=3.0)
    return write_report([folder])


WARNING = "bone_soup: at 5 of 5 points, KL up to 50.5 nats, 1.26 per token."


def test_a_damaged_row_is_named_in_every_output(
    drifted: Report, capsys: pytest.CaptureFixture[str]
) -> None:
    print_leaderboard(drifted)
    for text in (
        capsys.readouterr().out,
        (drifted.folder / "leaderboard.md").read_text(),
        drifted.page.read_text(),
    ):
        assert WARNING in text and "clp: at" not in text
        assert "To drift less, lower method.learning_rate" in text
        assert "⚠ 50.00" in text and "⚠ 3.50" not in text
    assert r"$\dagger$ 50.00" in (drifted.folder / "leaderboard.tex").read_text()
    assert "⚠" not in (drifted.folder / "leaderboard.csv").read_text()


def test_a_cell_of_the_page_has_its_warning(drifted: Report) -> None:
    _, _, cells = drifted.page.read_text().partition('<h2 id="cells">')
    assert cells.count("<dt>warning</dt><dd>texts are usually damaged") == 1
    assert cells.count("✓ ok ⚠</a>") == 1


def test_the_leader_at_equal_drift_is_named_where_it_differs(
    drifted: Report, report: Report, capsys: pytest.CaptureFixture[str]
) -> None:
    print_leaderboard(drifted)
    shown = capsys.readouterr().out
    assert "warning: At equal drift, clp leads: counting only points within" in shown
    assert "bone_soup has no such point." in shown
    page = drifted.page.read_text()
    assert "At equal drift, clp leads" in page[: page.index('<ul class="warnings">')]
    assert "At equal drift" not in report.page.read_text()
