"""Rows whose texts are usually damaged are marked in every output."""

import json
from pathlib import Path

import pytest
from report_cells import concave, drifts, only, write_cell

from paretosteer.report import Report, print_leaderboard, write_report
from paretosteer.report.outputs.notes import equal_drift_leader


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
    shown = capsys.readouterr().out
    lasting = (drifted.folder / "leaderboard.md").read_text(), drifted.page.read_text()
    assert "bone_soup: 5 of 5 points, KL up to 50.5.\n" in shown
    assert all(WARNING in text and "clp: at" not in text for text in lasting)
    for text in (shown, *lasting):
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
    assert "warning: At equal drift, clp has the largest hypervolume: counting only" in shown
    assert "bone_soup has no such point." in shown
    page = drifted.page.read_text()
    assert "At equal drift, clp has the largest" in page[: page.index('<ul class="warnings">')]
    assert "At equal drift" not in report.page.read_text()


def test_damage_is_marked_at_each_preference(drifted: Report) -> None:
    page = drifted.page.read_text()
    _, _, table = page[: page.index("<h3>Dominance")].partition("<h3>Best at each preference")
    assert table.count('class="best">⚠ ') == 5 and table.count("⚠ ") == 6  # one in the legend
    start = page.index('id="tables">') + len('id="tables">')
    (plotted,) = json.loads(page[start : page.index("</script>", start)])
    assert [row["damaged"] for row in plotted["rows"]] == [[True] * 5, [False] * 5]


def test_no_damaged_row_is_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = [f"method_{place:02}" for place in range(14)]
    for place, name in enumerate(names):
        write_cell(tmp_path, name, concave(2.0), kl=20.0 + place)
    report = write_report([tmp_path])
    print_leaderboard(report)
    shown = capsys.readouterr().out
    listed = [f"{name}: 5 of 5 points, KL up to {21 + n}.0" for n, name in enumerate(names)]
    assert f"{'; '.join(reversed(listed))}.\n" in shown
    text = (report.folder / "leaderboard.md").read_text()
    assert all(f"{name}: at 5 of 5 points" in text for name in names) and "more note" not in text


def test_a_lead_at_equal_drift_is_claimed_only_beyond_noise(tmp_path: Path) -> None:
    """One point of clp is within the threshold, and all of bone_soup's."""
    for name, noise in (("leads", 0.05), ("alike", 0.4)):
        clp = write_cell(tmp_path / name, "clp", concave(2.6), noise=noise)
        drifts(clp, lambda point: 1.0 if point == 2 else 9.0)
        soup = write_cell(tmp_path / name, "bone_soup", concave(2.2), noise=noise)
        drifts(soup, lambda point: 1.0)
    say = {name: next(equal_drift_leader(only(tmp_path / name)), "") for name in ("leads", "alike")}
    assert say["leads"].startswith("At equal drift, bone_soup is ahead of clp: counting only")
    assert "a difference of" in say["leads"]
    assert "do not differ significantly" in say["alike"]


def test_seeds_without_near_points_are_counted(tmp_path: Path) -> None:
    for seed, kl in ((0, 1.0), (1, 30.0)):
        write_cell(tmp_path, "clp", concave(2.4), seed=seed, kl=kl)
        write_cell(tmp_path, "bone_soup", concave(2.0), seed=seed, kl=1.5)
    result = only(tmp_path)
    (said,) = equal_drift_leader(result)
    assert said.endswith("clp has no such point in 1 of 2 seeds.")
    assert "hypervolume_equal_drift" not in result.scored[0].figures


def test_the_start_model_does_not_set_the_threshold(tmp_path: Path) -> None:
    """In bfloat16 its KL is not 0, by rounding."""
    write_cell(tmp_path, "start", concave(0.5), kl=0.2, changes={"cost": {"train_steps": 0}})
    write_cell(tmp_path, "clp", concave(2.4), kl=3.0)
    drift = only(tmp_path).equal_drift
    assert drift and drift.middle > 3
