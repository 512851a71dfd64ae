"""My objective prefers what it should, and stays within its range."""

import pytest

from my_objective import OBJECTIVE


def test_a_better_text_scores_higher() -> None:
    assert OBJECTIVE.score("A calm day.") > OBJECTIVE.score("A calm day!")


def test_no_text_scores_below_the_worst() -> None:
    assert OBJECTIVE.score("No! No! No!!!!!") >= OBJECTIVE.worst


def test_a_text_without_a_score_raises() -> None:
    with pytest.raises(ValueError):
        OBJECTIVE.score("")
