"""Progress: lines in a log, bars on a terminal, and the time left."""

import sys
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console
from screen import Screen, screens

from paretosteer.runtime import progress
from paretosteer.runtime.progress import Progress, cell_of_sweep, preparation, say, shown_by, stage
from paretosteer.runtime.progress_bars import Bars, Channel, _Figures
from paretosteer.runtime.terminal import wrapped_at
from paretosteer.runtime.time_left import TimeLeft, clock, rough_time

FIGURES = {"phase": "bank 0", "loss": 0.123456, "kl": 1.5, "tokens": 3.0, "reward_1": -0.25}


class Terminal(StringIO):
    """Standard error that is a terminal."""

    def isatty(self) -> bool:
        return True


def open_terminal(monkeypatch: pytest.MonkeyPatch, width: int) -> Terminal:
    """A terminal of this width in place of both outputs."""
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setattr(sys, "stdout", Terminal())
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    return terminal


def screen(terminal: Terminal, width: int) -> list[str]:
    shown = Screen(width)
    shown.feed(terminal.getvalue())
    return shown.text


def test_a_log_has_a_few_lines_of_each_cell(capsys: pytest.CaptureFixture[str]) -> None:
    with cell_of_sweep(2, 6):
        show = stage("clp seed 0", "training", 8)
        for step in range(1, 9):
            show(step, FIGURES)
        say("clp seed 0: sampling 3 points")
        sample = stage("clp seed 0", "sampling", 100)
        sample(50, {})
    lines = capsys.readouterr().err.splitlines()
    assert [line.split("  ")[0] for line in lines] == [
        *(f"[2/6] clp seed 0: step {step}/8" for step in (2, 4, 6, 8)),
        "[2/6] clp seed 0: sampling 3 points",
    ]


def test_long_sampling_is_reported_in_a_log(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "SECONDS", -1)
    stage("clp seed 0", "sampling", 100)(50, {})
    assert capsys.readouterr().err == "clp seed 0: sampling step 50/100\n"


@pytest.mark.parametrize("width", [60, 80, 120])
def test_a_bar_keeps_its_cell_count_and_time_on_one_line(
    width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = open_terminal(monkeypatch, width)
    left = TimeLeft([64.0] * 6, 10.0)
    with Bars(6, left) as view, shown_by(view), cell_of_sweep(2, 6):
        show = stage("rewarded_soup seed 0", "training", 120)
        say("a line above the bars")
        show(42, FIGURES)
        view._bars.refresh()
        lines = screen(terminal, width)
    assert all(len(line) <= width for line in lines)
    (bar,) = [line for line in lines if line.startswith("[2/6] rewarded_soup seed 0")]
    assert "42/120" in bar and "bank 0" in bar and ("training" in bar) == (width > 100)
    assert any(line.startswith("sweep") and "0/6" in line for line in lines)
    assert "[2/6] a line above the bars" in lines
    assert "loss 0.123" in bar or width < 80


def test_the_end_of_a_cell_clears_its_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = open_terminal(monkeypatch, 120)
    with Bars(2, TimeLeft([1.0, 1.0], 1.0)) as view, shown_by(view):
        with cell_of_sweep(1, 2):
            stage("clp", "training", 4)(4, FIGURES)
        view._bars.refresh()
        descriptions = [task.description for task in view._bars.tasks]
    assert descriptions == ["sweep"]
    assert screen(terminal, 120)[-1] == ""


def test_other_processes_show_their_progress_through_files(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    terminal = open_terminal(monkeypatch, 120)
    with Bars(2, TimeLeft([1.0, 1.0], 1.0)) as view, view.follow() as folder:
        channel = Channel(folder)
        channel.line("ok: results/a", out=True)
        channel.progress(Progress(2, "2/2 clp seed 1", "sampling", 5, 20))
        (file,) = folder.iterdir()
        with file.open("a") as stream:
            stream.write('{"line": "half')
        shown: list[Progress] = []
        view.progress = shown.append  # type: ignore[method-assign]
    assert shown == [Progress(2, "2/2 clp seed 1", "sampling", 5, 20)]
    assert "ok: results/a" in screen(terminal, 120) and not Path(folder).exists()


def test_a_channel_skips_steps_that_follow_at_once(tmp_path: Path) -> None:
    channel = Channel(tmp_path)
    for step in range(1, 11):
        channel.progress(Progress(1, "clp", "training", step, 10))
    (file,) = tmp_path.iterdir()
    assert len(file.read_text().splitlines()) == 2  # the first and the last


def test_time_left_follows_the_work_that_was_done_here() -> None:
    now = [0.0]
    left = TimeLeft([50.0, 50.0, 50.0], 1.0, clock=lambda: now[0])
    assert str(left) == "starting …"
    left.end(1)  # finished before: tells nothing about the speed

    def report(seconds: float, stage: str, done: int, total: int) -> None:
        now[0] = seconds
        left.progress(Progress(2, "", stage, done, total))

    report(0, "training", 0, 10)
    report(10, "training", 5, 10)
    assert left.in_words() == left.in_words(2) == ">10 s left" and left.of_cell(2) is None
    report(20, "sampling", 0, 100)  # cells turn out to sample 100 rows
    report(21, "sampling", 2, 100)
    assert left.seconds is None  # too few to go by
    report(30, "sampling", 50, 100)
    # Half of the sampling takes 10 s, and scoring a tenth of sampling.
    assert left.of_cell(2) == pytest.approx(10 + 2)
    assert left.seconds == pytest.approx(10 + 2 + 20 + 20 + 2)
    report(40, "scoring", 0, 100)
    report(50, "scoring", 100, 100)
    assert left.of_cell(2) == 0 and left.of_cell(3) == pytest.approx(20 + 20 + 10)
    left.end(2)
    assert left.seconds == pytest.approx(20 + 20 + 10)
    left.end(3)
    assert left.seconds == 0


def test_the_time_left_of_training_is_known_after_three_steps(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    terminal, now = open_terminal(monkeypatch, 80), [0.0]
    left = TimeLeft([100.0, 100.0], 10.0, clock=lambda: now[0])
    with Bars(2, left) as view, shown_by(view):
        for step in range(4):
            now[0] = 2.0 * step
            view.progress(Progress(1, "clp", "training", step, 100))
            assert str(left) == ("" if step == 3 else "estimating the time left")
        view._bars.refresh()
        lines = screen(terminal, 80)
        assert any("3/100 >3 min left" in line for line in lines)
        assert any("0/2   >3 min left" in line for line in lines)
        view.progress(Progress(1, "clp", "sampling", 0, 10))
        assert str(left) == "estimating the time left"


def test_preparation_is_a_stage_of_the_cell_that_runs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress, "SECONDS", -1)
    with cell_of_sweep(2, 6):
        stage("clp seed 0", "preparing")
        preparation("start model", 850)(100, {})
    assert capsys.readouterr().err == "[2/6] clp seed 0: start model step 100/850\n"


def test_cells_that_run_at_once_take_less_time_together() -> None:
    now = [0.0]
    left = TimeLeft([0.0] * 4, 10.0, clock=lambda: now[0])
    for done in (0, 5):
        now[0] = 2.0 * done
        for cell in (1, 2):
            left.progress(Progress(cell, "", "sampling", done, 10))
    assert left.of_cell(1) == pytest.approx(10 + 2)
    assert left.seconds == pytest.approx((2 * 12 + 2 * 22) / 2)


def test_an_estimate_does_not_jump_between_two_batches() -> None:
    now = [0.0]
    left = TimeLeft([0.0], 10.0, clock=lambda: now[0])
    for seconds, done in ((0, 0), (10, 2), (20, 4)):
        now[0] = seconds
        left.progress(Progress(1, "", "sampling", done, 10))
    estimate = left.seconds
    now[0] = 29.0
    assert left.seconds == estimate == pytest.approx(30 + 5)
    now[0] = 60.0  # the next batch is overdue
    assert (left.seconds or 0) > 60


def test_the_time_left_is_updated_where_nothing_moves(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal, now = open_terminal(monkeypatch, 80), [0.0]
    with Bars(2, TimeLeft([0.0, 0.0], 1.0, clock=lambda: now[0])) as view, shown_by(view):
        view.progress(Progress(1, "clp", "training", 6, 6))
        for step, seconds, words in ((0, 0.0, "estimating"), (1, 60.0, "12 min left")):
            now[0] = seconds
            view.progress(Progress(1, "clp", "sampling", step, 6))
            view._bars.refresh()
            assert any(words in line for line in screen(terminal, 80))
        now[0] = 300.0  # the next step takes four times as long
        view._bars.refresh()
        assert any("49 min left" in line for line in screen(terminal, 80))


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.2, "1 s"), (42, "42 s"), (200, "3 min"), (9000, "2.5 h")]
)
def test_rough_time(seconds: float, words: str) -> None:
    assert rough_time(seconds) == words


@pytest.mark.slow
@pytest.mark.parametrize("width", [60, 80, 120])
def test_a_sweep_on_a_terminal(width: int, tmp_path: Path) -> None:
    settings = f"benchmark=bandit budget=smoke threads=1 sweep_dir={tmp_path}/sweep"
    methods = "method=clp,rewarded_soup seed=0,1"
    first, seen = 0.0, set()
    command = [sys.executable, "-m", "paretosteer", "sweep", methods.split()[0]]
    for seconds, shown in screens([*command, methods.split()[1], *settings.split()], width):
        first = first or seconds
        seen |= set(shown.text)
        assert all(len(line) <= width for line in shown.text if "/" not in line)
    assert first < 3
    assert "4 cells: clp, rewarded_soup on bandit, seeds 0, 1" in shown.text
    assert any(line.startswith("[2/4] clp full seed 1") for line in seen)
    assert any(line.startswith("rewarded_soup ") for line in shown.text)
    assert any(line.startswith("warning: Budget smoke") for line in shown.text)


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.4, "0:00"), (42, "0:42"), (159.6, "2:40"), (3760, "1:02:40")]
)
def test_time_that_has_passed(seconds: float, words: str) -> None:
    assert clock(seconds) == words


def test_figures_are_shown_whole_or_not_at_all() -> None:
    console = Console(width=60)
    for width, shown in ((8, "bank 0:"), (18, "bank 0: loss 0.123"), (24, "bank 0: loss 0.123")):
        figures = _Figures("bank 0: loss 0.123  kl 1.5")
        (segments,) = console.render_lines(figures, console.options.update(width=width), pad=False)
        assert "".join(segment.text for segment in segments) == shown


def test_messages_wrap_at_words_and_keep_paths_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    path = "results/" + "long-" * 20
    text = f"lower method.learning_rate, or raise method.kappa: the cell is {path}"
    expected = ["lower method.learning_rate, or raise", "method.kappa: the cell is", path]
    assert wrapped_at(text, 40).splitlines() == expected
    terminal = open_terminal(monkeypatch, 40)
    say(text)
    assert terminal.getvalue().splitlines() == expected
    terminal = open_terminal(monkeypatch, 40)
    with Bars(1, TimeLeft([1.0], 1.0)) as view, shown_by(view):
        say(text)
    lines = terminal.getvalue().replace("\r", "").replace("\n", "\r\n")
    (shown := Screen(40)).feed(lines)
    assert [line for line in shown.text if line][:2] == expected[:2]
