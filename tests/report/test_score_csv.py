"""`paretosteer score`: points from elsewhere, against values worked out by hand."""

import json
from pathlib import Path

import pytest

from paretosteer.errors import UsageError
from paretosteer.report import print_leaderboard
from paretosteer.report.columns import CONTRACT
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
    print_leaderboard(score_csv(write(tmp_path, POINTS), [-2, -2]))
    printed = capsys.readouterr().out
    assert "line" in printed
    assert "13.00" in printed


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "has no points"),
        ("method,w_a,w_b,a,b\n", "has no points"),
        (POINTS.replace("method,", "name,"), "no column 'method'"),
        (POINTS.replace("w_b", "w_c"), "no column 'c'"),
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
        ([-2], [], "--reference: has 1 values for 2 objectives"),
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
