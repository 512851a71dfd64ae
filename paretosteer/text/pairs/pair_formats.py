"""Formats in which preference data are published: how each is recognised, and its parser."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from paretosteer.text.pairs.check_sides import check_sides
from paretosteer.text.pairs.compared_answers import (
    STRENGTHS,
    WINNERS,
    by_choice,
    by_label,
    by_score,
    by_strength,
    check_scores,
    check_signs,
    two_answers,
    winner_columns,
    winner_parser,
)
from paretosteer.text.pairs.dialogue_sides import (
    MIXTURE,
    SIDES,
    Values,
    cell,
    common_beginning,
    compared,
    is_dialogue,
    shared,
    without_prompts,
)
from paretosteer.text.pairs.messages import dialogue, text
from paretosteer.text.pairs.pair import Pair
from paretosteer.text.pairs.pair_source import Source
from paretosteer.text.pairs.prompt_columns import (
    check_asked,
    likely_prompt,
    mapping,
    no_prompt,
    prompt_column,
    prompt_of,
    with_system,
)
from paretosteer.text.pairs.rated_answers import (
    ANSWERS,
    CONVERSATIONS,
    LABELS,
    Rated,
    attributes,
    completions_row,
    is_rating,
    labelled_row,
    ranked_row,
    rated_row,
    says_more,
)

Parse = Callable[[Values], "Pair | list[Rated]"]

# Transcripts of other templates, which must not be read as one question.
_TEMPLATE = re.compile(
    r"\s*(user:|### ?(human|user|instruction)|<\|\w+\|>|<s>|\[INST\]|<start_of)", re.I
)
_RANK = re.compile(r"rank|(^|_)(position|place)(_|\Z)", re.I)


@dataclass(frozen=True)
class Format:
    """Format of a file; `parser` takes all of its rows and gives the parser of one of them."""

    name: str
    parser: Callable[[Sequence[Values], Source], Parse]


def format_of(row: Values, source: Source) -> Format | None:
    """Format of rows with these columns, None if there is no such format."""
    columns = set(row)
    if source.winner is not None:
        return _WINNER if source.winner in columns or two_answers(row) else None
    if columns >= set(SIDES):
        return WITHOUT_PROMPT if prompt_column(row) is None else _WITH_PROMPT
    for names, form in _BY_COLUMNS:
        if columns >= set(names):
            return form
    if two_answers(row):
        return _STRENGTH if columns & set(STRENGTHS) else _WINNER
    if columns & set(LABELS) and columns & {"completion", *CONVERSATIONS}:
        return _LABELLED
    answer = _answer_column(row)
    return _RATED if answer and (source.rating or _ratings(row)) else None


def uses_rating(form: Format) -> bool:
    """True for a format in which the setting `rating` chooses what is compared."""
    return form in (_RATED, _ATTRIBUTES)


def compared_rating(form: Format, rows: Sequence[Values], source: Source) -> str | None:
    """Rating by which answers are compared; None in a format without ratings."""
    if form == _RATED:
        return _rating_of_rows(rows, source)
    return _rating(source, attributes(rows[0])) if form == _ATTRIBUTES else None


def unknown(row: Values) -> ValueError:
    """Error for columns that match no format, with the likely mapping."""
    return ValueError(
        f"the columns are {', '.join(map(str, row))}; use chosen and rejected, with or without "
        "prompt, two responses with the setting `winner`, or map the names with the setting "
        f"{mapping(row, ['prompt', *SIDES])}"
    )


def _with_prompt(rows: Sequence[Values], source: Source) -> Parse:
    check_sides(rows)
    cut = without_prompts(rows, str(prompt_column(rows[0])))

    def read(row: Values) -> Pair:
        row = cut(row)
        pair = compared(prompt_of(row), cell(row, "chosen"), cell(row, "rejected"))
        check_asked(row, pair.prompt)
        return pair

    return read


def _without_prompt(rows: Sequence[Values], source: Source) -> Parse:
    check_sides(rows)
    filled = [row for row in rows if any(row[side] for side in SIDES)]
    dialogues = sum(any(is_dialogue(row[side]) for side in SIDES) for row in filled)
    if dialogues >= (1 - MIXTURE) * len(filled):
        return _dialogues
    if dialogues > MIXTURE * len(filled):
        raise ValueError(
            f"chosen or rejected is a dialogue in {dialogues} of {len(filled)} rows and plain text "
            "in the others; split the file"
        )
    if likely_prompt(rows[0]):
        raise no_prompt(rows[0])
    return _plain(rows)


def _dialogues(row: Values) -> Pair:
    one, other = (dialogue(cell(row, side), side) for side in SIDES)
    pair = shared(one, other)
    return replace(pair, prompt=with_system(row, pair.prompt))


def _plain(rows: Sequence[Values]) -> Parse:
    texts = [text(row[side], side) for row in rows for side in SIDES]
    marked = [value for value in texts if _TEMPLATE.match(value)]
    if len(marked) > MIXTURE * len(texts):
        start = marked[0].strip()[:20]
        raise ValueError(
            f"chosen and rejected begin like {start!r}, a template that is not supported; use chat "
            "messages, or a transcript such as '\\n\\nHuman: …\\n\\nAssistant: …'"
        )
    parse = common_beginning(rows)

    def read(row: Values) -> Pair:
        pair = parse(row)
        return replace(pair, prompt=with_system(row, pair.prompt))

    return read


def _by_winner(rows: Sequence[Values], source: Source) -> Parse:
    column = source.winner
    if column is None:
        given = winner_columns(rows[0])
        if len(given) != 1:
            named = f"{' or '.join(given)}" if given else "the column that names the better answer"
            raise ValueError(
                f"the columns are {', '.join(rows[0])}; set `winner` to {named}, "
                f"as in {{path: {source.path}, winner: {given[0] if given else 'COLUMN'}}}"
            )
        column = given[0]
    if two_answers(rows[0]) is None:
        names = " and ".join(("response_0", "response_1"))
        missing = next((n for n in ("response_0", "response_1") if n not in rows[0]), "response_0")
        raise ValueError(f"column {missing} is missing; use {names}, or map them with `columns`")
    return winner_parser(rows, column)


def _by_strength(rows: Sequence[Values], source: Source) -> Parse:
    column, *others = [name for name in (*STRENGTHS, *WINNERS) if name in rows[0]]
    if others:
        raise ValueError(
            f"{column} and {others[0]} both say which answer is better; set columns: {{unused: "
            f"{others[0]}}} to read the former"
        )
    check_signs(rows, column)
    return lambda row: by_strength(row, column)


def _by_rating(rows: Sequence[Values], source: Source) -> Parse:
    answer = str(_answer_column(rows[0]))
    rating = _rating_of_rows(rows, source)
    return lambda row: rated_row(row, answer, rating)


def _rating_of_rows(rows: Sequence[Values], source: Source) -> str:
    names = dict.fromkeys(name for row in rows for name in _ratings(row))
    names.pop(str(_answer_column(rows[0])), None)
    if not names:
        raise ValueError(
            f"{source.rating or 'the rating'} is no number in any row (the columns are "
            f"{', '.join(map(str, rows[0]))}); write ratings such as 4.5"
        )
    return _rating(source, list(names))


def _by_attribute(rows: Sequence[Values], source: Source) -> Parse:
    rating = _rating(source, attributes(rows[0]))
    return lambda row: completions_row(row, rating)


def _shp(rows: Sequence[Values], source: Source) -> Parse:
    check_scores(rows)
    return by_label


def _by_label(rows: Sequence[Values], source: Source) -> Parse:
    column = next(name for name in LABELS if name in rows[0])
    return lambda row: labelled_row(row, column)


def _rating(source: Source, names: Sequence[str]) -> str:
    """The setting `rating`, or the only one there is."""
    rating = source.rating or (names[0] if len(names) == 1 and says_more(names[0]) else None)
    if rating is None or rating not in names:
        found = "" if rating is None else f"no rating is called {rating!r}; "
        raise ValueError(
            f"{found}set `rating` to one of {', '.join(names)}, as in "
            f"{{path: {source.path}, rating: {names[0] if names else 'COLUMN'}}}"
        )
    if _RANK.search(rating):
        raise ValueError(f"{rating} is a rank, for which lower is better; use a rating or a score")
    return rating


def _ratings(row: Values) -> list[str]:
    return [str(name) for name in row if is_rating(row, name)]


def _answer_column(row: Values) -> str | None:
    return next((name for name in ANSWERS if name in row and prompt_column(row)), None)


def _fixed(parse: Parse) -> Callable[[Sequence[Values], Source], Parse]:
    return lambda rows, source: parse


_WITH_PROMPT = Format("prompt, chosen, rejected", _with_prompt)
WITHOUT_PROMPT = Format("chosen, rejected", _without_prompt)
_WINNER = Format("two responses with a winner", _by_winner)
_STRENGTH = Format("two responses with a strength, HelpSteer", _by_strength)
_LABELLED = Format("labelled answers, KTO", _by_label)
_RATED = Format("rated answers, HelpSteer", _by_rating)
_ATTRIBUTES = Format("rated completions, UltraFeedback", _by_attribute)
_BY_COLUMNS: tuple[tuple[tuple[str, ...], Format], ...] = (
    (("history", "human_ref_A", "human_ref_B", "labels"), Format("SHP", _shp)),
    (("answer_0", "answer_1", "score_0", "score_1"), Format("WebGPT", _fixed(by_score))),
    (("info", "summaries", "choice"), Format("summarize-from-feedback", _fixed(by_choice))),
    (("answers",), Format("ranked answers, Nectar", _fixed(ranked_row))),
    (("completions",), _ATTRIBUTES),
)
