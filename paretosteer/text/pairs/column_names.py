"""Names of columns that some format reads, to which the setting `columns` may map."""

from paretosteer.errors import did_you_mean
from paretosteer.text.pairs.compared_answers import STRENGTHS, WINNERS, two_answers
from paretosteer.text.pairs.dialogue_sides import SIDES
from paretosteer.text.pairs.prompt_columns import PROMPTS, SYSTEMS
from paretosteer.text.pairs.rated_answers import ANSWERS, LABELS, says_more

_SPECIAL = (
    *("human_ref_A", "human_ref_B", "labels"),  # SHP
    *("score_0", "score_1"),  # WebGPT
    *("info", "summaries", "answers", "completions", "messages"),
)
UNUSED = "unused"  # for a column that would otherwise be taken for another one
_NAMES = (*PROMPTS, *SYSTEMS, *SIDES, *ANSWERS, *LABELS, *WINNERS, *STRENGTHS, *_SPECIAL, UNUSED)
_PAIRED = ("response_0", "response_1")  # as an example of two answers


def unread(name: str) -> str | None:
    """Remedy for a name that no format reads; None if one does."""
    paired = (two_answers({name: "", name[:-1] + end: ""}) for end in "012abAB")
    if name in _NAMES or says_more(name) or any(paired):
        return None
    return did_you_mean(name, (*_NAMES, *_PAIRED))
