"""`paretosteer score`: points from elsewhere, against values worked out by hand."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from paretosteer.commands.main import main
from paretosteer.errors import UsageError
from paretosteer.report.columns import CONTRACT
from paretosteer.report.outputs.print_scores import print_scores
from paretosteer.report.outputs.score_csv import score_csv

# As in test_report_values.py: hypervolumes 13 and 12.25, of their union 14.25.
POINTS = """method,w_a,w_b,a,b
line,1,0,2,0
line,0.5,0.5,1,1
line,0,1,0,2
still,1,0,1.5,1.5
still,0.5,0.5,1.5,1.5
still,0,1,1.5,1.5
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "points.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_by_hand(tmp_path: Path) -> None:
    frame = score_csv(write(tmp_path, POINTS), [-2, -2])
    assert tuple(frame.columns[: len(CONTRACT)]) == CONTRACT
    line, still = frame.to_dict(orient="records")
    assert line["method"] == "line"
    assert line["hypervolume"] == pytest.approx(13)
    assert line["hypervolume_ratio"] == pytest.approx(13 / 14.25)
    assert line["utility_loss"] == pytest.approx(0.5 / 3)
    assert line["controllability"] == 1
    assert still["hypervolume"] == pytest.approx(12.25)
    assert still["controllability"] == 0
    assert frame["hypervolume_low"].isna().all()
    assert len(json.loads(frame.to_json(orient="records"))) == 2


def test_minimise_turns_a_column_and_its_reference(tmp_path: Path) -> None:
    turned = "\n".join(
        ",".join([*line.split(",")[:4], str(-float(line.split(",")[4]))])
        for line in POINTS.splitlines()[1:]
    )
    path = write(tmp_path, f"method,w_a,w_b,a,b\n{turned}\n")
    frame = score_csv(path, [-2, 2], minimise=["b"])
    assert frame["hypervolume"].tolist() == pytest.approx([13, 12.25])
    assert frame["controllability"].tolist() == [1, 0]


def test_seeds_and_their_mean(tmp_path: Path) -> None:
    rows = [line.split(",") for line in POINTS.splitlines()[1:4]]
    lines = [",".join([row[0], str(seed), *row[1:]]) for seed in (0, 1) for row in rows]
    frame = score_csv(write(tmp_path, "\n".join(["method,seed,w_a,w_b,a,b", *lines])), [-2, -2])
    assert frame["seeds"].tolist() == [2]
    assert frame["hypervolume"].tolist() == pytest.approx([13])


def test_other_preferences_are_another_table(tmp_path: Path) -> None:
    frame = score_csv(write(tmp_path, f"{POINTS}other,0.3,0.7,1,1\n"), [-2, -2])
    assert frame["table"].tolist() == [1, 1, 2]
    assert frame["controllability"].isna().tolist() == [False, False, True]


def test_order_of_columns_is_free(tmp_path: Path) -> None:
    text = "b,w_b,method,a,w_a\n4,1,x,1,0\n0,0,x,3,1\n"
    frame = score_csv(write(tmp_path, text), reference=[-1, 0])  # b, then a
    assert frame["hypervolume"].tolist() == pytest.approx([1 * 5 + 2 * 1])


def test_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    print_scores(score_csv(write(tmp_path, POINTS), [-2, -2]))
    printed = capsys.readouterr().out
    assert "line" in printed
    assert "13.00" in printed


SETS = """method,a,b,note
far,0.0012,0.003,x
far,0.002,0.001,x
near,0.0011,0.0029,y
"""


def test_points_without_weights_are_sets(tmp_path: Path) -> None:
    """(1.2, 3) and (2, 1) cover 4.4, (1.1, 2.9) covers 3.19, all of it inside."""
    far, near = score_csv(write(tmp_path, SETS), [0, 0]).to_dict("records")
    assert (far["hypervolume"], near["hypervolume"]) == pytest.approx((4.4e-6, 3.19e-6))
    assert near["hypervolume_ratio"] == pytest.approx(3.19 / 4.4)
    assert [(row["dominated_by"], row["coverage"]) for row in (far, near)] == [(0, 1), (1, 0)]
    assert (far["contribution_points"], near["contribution_points"]) == (2, 0)
    assert far["contribution"] == pytest.approx(4.4e-6 - 3.19e-6)


def test_equal_sets_do_not_dominate_each_other(tmp_path: Path) -> None:
    frame = score_csv(write(tmp_path, "method,a,b\nx,1,2\ny,1,2\ny,1,1\n"), [0, 0])
    assert frame["dominated_by"].tolist() == [0, 0]
    assert frame["rank"].tolist() == [1, 1]


def test_text_has_significant_digits(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["score", str(write(tmp_path, SETS)), "--reference", "0,0"]) == 0
    captured = capsys.readouterr()
    assert "4.4e−06" in captured.out and "3.19e−06" in captured.out and "0.7250" in captured.out
    assert "need a weight for every objective" in captured.out
    assert captured.err.endswith("columns that are not objectives are ignored: note\n")


def test_counts_are_whole_where_their_mean_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = "x,0,-1,1\nx,0,-1,2\nx,1,-1,1\nx,1,-1,2\ny,0,1,1\ny,1,1,-1\n"
    assert main(["score", str(write(tmp_path, f"method,seed,a,b\n{rows}")), "--reference=0,0"]) == 0
    by_method = {line.split()[0]: line.split() for line in capsys.readouterr().out.splitlines()}
    assert by_method["x"][-2:] == ["2", "2"]  # outside, seeds
    assert by_method["y"][-2:] == ["0.5000", "2"]


def test_json_has_all_digits_integers_and_the_order_of_the_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = "method,w_b,w_a,b,a\nx,1,0,0.12345678901234567,0.1\nx,0,1,0,0.3333333333333333\n"
    assert main(["score", str(write(tmp_path, text)), "--reference", "-1,-1", "--json"]) == 0
    printed = capsys.readouterr().out
    (row,) = json.loads(printed)
    assert row["hypervolume"] == pytest.approx(1.1 * 1.12345678901234567 + 7 / 30, abs=1e-15)
    assert '"points": 2,' in printed and '"front_size": 2,' in printed
    assert [name for name in row if name.startswith("range_")] == ["range_b", "range_a"]
    assert "spread" not in row and row["kl"] is None


def test_seeds_give_intervals_ranks_and_ties(tmp_path: Path) -> None:
    """Student's t of three seeds: the mean ± 4.303 standard errors."""
    heights = {"low": (1.0, 1.1, 1.2), "same": (1.1, 1.2, 1.0), "high": (2.0, 2.11, 2.2)}
    lines = [
        f"{method},{seed},{x},{1 - x},{height},{height}"
        for method, seeds in heights.items()
        for seed, height in enumerate(seeds)
        for x in (0, 1)
    ]
    frame = score_csv(write(tmp_path, "\n".join(["method,seed,w_a,w_b,a,b", *lines])), [0, 0])
    high, *rest = frame.to_dict("records")
    assert (high["method"], high["rank"], high["rank_high"], high["tie_group"]) == (
        "high", 1, 1, "a",
    )  # fmt: skip
    assert [row["tie_group"] for row in rest] == ["b", "b"]
    volumes = np.array(heights["low"]) ** 2
    half = 4.303 * volumes.std(ddof=1) / 3**0.5
    (low,) = [row for row in rest if row["method"] == "low"]
    assert low["hypervolume_high"] - low["hypervolume"] == pytest.approx(half, rel=0.25)
    assert low["hypervolume"] - low["hypervolume_low"] == pytest.approx(half, rel=0.25)


def test_ties_need_seeds_that_all_methods_have(tmp_path: Path) -> None:
    text = "method,seed,a,b\nx,0,1,1\nx,1,2,2\ny,0,1,1\n"
    frame = score_csv(write(tmp_path, text), [0, 0])
    assert frame["hypervolume_low"].notna().tolist() == [True, False]
    assert frame["tie_group"].isna().all()


def test_a_method_with_one_seed_has_no_interval(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    seeds = "".join(
        f"{method},{seed},1,0,1,{2 + seed}\n{method},{seed},0,1,2,1\n"
        for method, seed in (("several", 0), ("several", 1), ("one", 2))
    )
    print_scores(score_csv(write(tmp_path, "method,seed,w_a,w_b,a,b\n" + seeds), [0, 0]))
    shown = capsys.readouterr().out
    (several,) = [each for each in shown.splitlines() if each.startswith("several")]
    (one,) = [each for each in shown.splitlines() if each.startswith("one")]
    assert "[" in several and "[" not in one and "[, ]" not in shown
    assert "95 % intervals over seeds, of methods with at least two\n" in shown


def test_columns_of_objectives_can_be_named(tmp_path: Path) -> None:
    path = write(tmp_path, "method,step,a,b\nx,10,1,2\n")
    with pytest.raises(UsageError, match=r"has 2 values for 3 objectives.*--objectives"):
        score_csv(path, [0, 0])
    assert score_csv(path, [0, 0], objectives=["b", "a"])["hypervolume"].tolist() == [2]
    in_order = [score_csv(path, [0, -1], objectives=each) for each in (["a", "b"], ["b", "a"])]
    assert [frame["hypervolume"].tolist() for frame in in_order] == [[3], [4]]
    with pytest.raises(UsageError, match="--objectives: no column 'aa'; did you mean 'a'"):
        score_csv(path, [0, 0], objectives=["aa", "b"])


def test_columns_without_a_weight_are_ignored_with_a_note(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [line.split(",") for line in POINTS.splitlines()]
    text = "\n".join(",".join([*row, "kl" if row[0] == "method" else "3"]) for row in rows)
    assert score_csv(write(tmp_path, text), [-2, -2])["hypervolume"].max() == pytest.approx(13)
    assert capsys.readouterr().err.endswith("columns that are not objectives are ignored: kl\n")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "has no points"),
        ("method,w_a,w_b,a,b\n", "has no points"),
        (POINTS.replace("method,", "name,"), "no column 'method'"),
        (POINTS.replace("w_b", "w_c"), "no column 'c'"),
        (POINTS.replace("w_b,", ","), "column 3 of the heading has no name"),
        (POINTS.replace("w_b,a,b", "w_b,a,c"), "no column 'b'"),
        (POINTS.replace("w_b,a,b", "a,x,b"), "no column 'w_x'"),
        ("method,w_a,a\nx,1,1\n", "at least two"),
        ("method,w_a,w_a,a,b\nx,1,0,1,1\n", "'w_a' twice"),
        (POINTS.replace("line,0.5,0.5,1,1", "line,0.5,0.5,1,"), "line 3, column 'b' holds ''"),
        (POINTS.replace("line,0.5,0.5,1,1", "line,0.5,0.5,1"), "line 3, column 'b' holds ''"),
        (POINTS.replace("line,0.5,0.5,1,1", "line,0.5,0.5,1,1,1"), "line 3 has more values"),
        (
            POINTS.replace("line,0.5,0.5,1,1", "line,0.5,0.5,one,1"),
            "line 3, column 'a' holds 'one'",
        ),
        (
            POINTS.replace("line,0.5,0.5,1,1", "line,0.5,0.5,nan,1"),
            "line 3, column 'a' holds 'nan'",
        ),
        (POINTS.replace("line,0.5,0.5,1,1", "line,0.5,0.6,1,1"), "line 3 has weights"),
        (POINTS.replace("line,0.5,0.5,1,1", "line,1.5,-0.5,1,1"), "line 3 has weights"),
        (POINTS.replace("line,0.5,0.5,1,1", ",0.5,0.5,1,1"), "line 3 has no method"),
        (POINTS.replace("line,0.5,0.5,1,1", "line,1,0,1,1"), "lines 2 and 3 are the same"),
        ("method,seed,w_a,w_b,a,b\nx,one,1,0,1,1\n", "the seed 'one'"),
        (
            "method,seed,w_a,w_b,a,b\nx,0,1,0,1,1\nx,1,0,1,1,1\n",
            "seeds of method 'x' have different preferences",
        ),
    ],
)
def test_bad_files(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(UsageError) as error:
        score_csv(write(tmp_path, text), [-2, -2])
    assert told in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("reference", "minimise", "told"),
    [
        ([-2], [], "--reference: has 1 value for 2 objectives"),
        ([-2, float("nan")], [], "--reference: holds NaN"),
        ([-2, -2], ["c"], "--minimise: no objective 'c'"),
    ],
)
def test_bad_arguments(
    tmp_path: Path, reference: list[float], minimise: list[str], told: str
) -> None:
    with pytest.raises(UsageError, match=told):
        score_csv(write(tmp_path, POINTS), reference, minimise)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        score_csv(tmp_path / "nowhere.csv", [-2, -2])


def test_errors_name_the_file(tmp_path: Path) -> None:
    path = write(tmp_path, POINTS.replace("method,", "name,"))
    with pytest.raises(UsageError) as error:
        score_csv(path, [-2, -2])
    assert str(error.value).startswith(f"{path}: has no column 'method'")


@pytest.mark.parametrize(
    "change",
    [
        lambda text: "\ufeff" + text,
        lambda text: "".join(f"{i or ''},{row}" for i, row in enumerate(text.splitlines(True))),
        lambda text: text.replace(",", ";"),
        lambda text: text.replace(",", "\t"),
        lambda text: text.replace("1,0,2,0", "1.0000005,-0.0000005,2,0"),
        lambda text: (
            text.replace("method", "method,seed")
            .replace("line,", "line,0.0,")
            .replace("still,", "still,0.0,")
        ),
    ],
)
def test_files_as_other_programs_write_them(tmp_path: Path, change: Callable[[str], str]) -> None:
    frame = score_csv(write(tmp_path, change(POINTS)), [-2, -2])
    assert frame["hypervolume"].max() == pytest.approx(13)


def test_an_objective_may_be_named_as_a_weight(tmp_path: Path) -> None:
    text = POINTS.replace("w_a,w_b,a,b", "w_w_c,w_b,w_c,b")
    assert score_csv(write(tmp_path, text), [-2, -2])["hypervolume"][0] == pytest.approx(13)


@pytest.mark.parametrize("value", ["1e200", "-1e13", "1e309", "1_000"])
def test_numbers_that_overflow_or_have_underscores_are_refused(tmp_path: Path, value: str) -> None:
    text = POINTS.replace("line,0.5,0.5,1,1", f"line,0.5,0.5,{value},1")
    with pytest.raises(UsageError, match="line 3, column 'a' holds"):
        score_csv(write(tmp_path, text), [0, 0])


def test_decimal_commas_are_refused_with_the_remedy(tmp_path: Path) -> None:
    text = POINTS.replace(",", ";").replace("0.5", "0,5")
    with pytest.raises(UsageError, match="holds '0,5'; give a finite number with a decimal point"):
        score_csv(write(tmp_path, text), [-2, -2])


def test_points_below_the_reference_are_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path, POINTS)
    assert main(["score", str(path), "--reference", "1.2,1.2", "--json"]) == 0
    captured = capsys.readouterr()
    assert captured.err.startswith(f"{path}: every point of 'line' lies below the reference")
    assert len(captured.err.splitlines()) == 1
    assert len(json.loads(captured.out)) == 2


def test_a_negative_reference_needs_no_equals_sign(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = str(write(tmp_path, POINTS))
    assert main(["score", path, "--reference", "-2,-.5", "--minimize", "b", "--json"]) == 0
    assert main(["score", path, "--reference", "-inf,0"]) == 2
    assert "--reference: holds NaN or infinity" in capsys.readouterr().err


@pytest.mark.parametrize("cell", ["x", "", "1.5 s", "nan"])
def test_a_column_of_numbers_with_another_cell_is_refused(tmp_path: Path, cell: str) -> None:
    text = f"method,a,b,c\nx,1,2,3\nx,2,1,{cell}\ny,1,1,2\n"
    with pytest.raises(UsageError, match=f"line 3, column 'c' holds {cell!r}, unlike other lines"):
        score_csv(write(tmp_path, text), [0, 0, 0])
    score_csv(write(tmp_path, text), [0, 0], objectives=["a", "b"])
