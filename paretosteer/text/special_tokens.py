"""Special tokens of a start model: none where a text continues, and none without an embedding.

Nor any before a chat template's text: the template writes all that the model was trained on.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

from paretosteer.errors import UsageError
from paretosteer.text.generation_settings import stated_ends

PROBE = "a"


def leave_open(tokenizer: Any, path: str) -> None:
    """Stop a tokenizer from ending every text, for a model that continues its prompts.

    Some append an end token (`add_eos_token`), BERT's a separator. What they put before a text
    stays.

    Raises
    ------
    UsageError
        If the tokenizer cannot be changed.

    """
    if not _after(tokenizer):
        return
    _turn_off(tokenizer, "add_eos_token", "add_sep_token")
    if _after(tokenizer):
        _add_only(tokenizer, tokens_before(tokenizer))
    if after := _after(tokenizer):
        raise UsageError(
            f"model.path: the tokenizer of {path!r} appends "
            f"{tokenizer.convert_ids_to_tokens(after)} to every text, so that no prompt can be "
            "continued; set add_eos_token to false in its tokenizer_config.json"
        )


def leave_bare(tokenizer: Any, path: str) -> None:
    """Stop a tokenizer from adding special tokens, for texts of a chat template.

    Raises
    ------
    UsageError
        If the tokenizer cannot be changed.

    """
    if not _added(tokenizer):
        return
    _turn_off(tokenizer, "add_bos_token", "add_eos_token", "add_sep_token")
    if _added(tokenizer):
        _add_only(tokenizer, [])
    if added := _added(tokenizer):
        raise UsageError(
            f"model.path: the tokenizer of {path!r} adds "
            f"{tokenizer.convert_ids_to_tokens(added)} to every text, also to those of its chat "
            "template; set add_bos_token and add_eos_token to false in its tokenizer_config.json"
        )


def tokens_before(tokenizer: Any) -> list[int]:
    """Special tokens that a tokenizer puts before every text."""
    return _split(tokenizer)[0]


def check_vocabulary(tokenizer: Any, network: Any, path: str) -> None:
    """Check the tokens that every text or batch may have.

    Raises
    ------
    UsageError
        If one has no embedding, or the tokenizer lacks the model's end token.

    """
    used = {*tokenizer(PROBE)["input_ids"], tokenizer.pad_token_id, tokenizer.eos_token_id}
    check_embedded(used - {None}, tokenizer, network, path)
    size = network.get_input_embeddings().weight.shape[0]
    named = {int(end) for end in stated_ends(network) if end in range(size)}
    known = set(tokenizer.get_vocab().values())
    if named and named.isdisjoint(known):
        raise UsageError(
            f"model.path: {path!r} ends its texts with token {min(named)}, which its tokenizer of "
            f"{len(known)} tokens lacks; use the model's own tokenizer"
        )


def check_embedded(
    ids: Iterable[int], tokenizer: Any, network: Any, path: str, option: str = "model.path"
) -> None:
    """Raise UsageError, naming the token, if a token has no embedding."""
    size = network.get_input_embeddings().weight.shape[0]
    if (token := max(ids, default=0)) >= size:
        name = tokenizer.convert_ids_to_tokens(token)
        raise UsageError(
            f"{option}: the tokenizer of {path!r} has {name!r} as token {token}, but the model "
            f"has embeddings for {size} tokens; use the model's own tokenizer, or save the model "
            "after resize_token_embeddings(len(tokenizer))"
        )


@lru_cache(maxsize=32)
def special_texts(tokenizer: Any) -> tuple[str, ...]:
    """Texts of the special tokens, also of those that have no name; the longest come first."""
    added = [str(token) for token in tokenizer.added_tokens_decoder.values() if token.special]
    return tuple(sorted({*tokenizer.all_special_tokens, *added} - {""}, key=len, reverse=True))


def spelled_note(what: str, texts: Sequence[str], tokenizer: Any) -> list[str]:
    """Note on people's texts, named `what`, that spell out special tokens of a start model."""
    names = special_texts(tokenizer)
    marks = re.compile("|".join(map(re.escape, names)))
    found = [mark[0] for text in texts if names and (mark := marks.search(text))]
    if not found:
        return []
    return [
        f"{len(found)} of {len(texts)} {what} spell out special tokens such as {found[0]!r}, which "
        "the start model reads as such; reward models do not see those of their tokenizers."
    ]


def _after(tokenizer: Any) -> list[int]:
    return _split(tokenizer)[1]


def _added(tokenizer: Any) -> list[int]:
    before, after = _split(tokenizer)
    return before + after


def _turn_off(tokenizer: Any, *names: str) -> None:
    for name in names:
        if getattr(tokenizer, name, False):
            setattr(tokenizer, name, False)


def _add_only(tokenizer: Any, before: list[int]) -> None:
    """Let a fast tokenizer put these special tokens before every text, and add no others."""
    if not getattr(tokenizer, "is_fast", False):
        return
    from tokenizers.processors import TemplateProcessing

    names = [tokenizer.convert_ids_to_tokens(token) for token in before]
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
        single=[*names, "$A"],
        pair=[*names, "$A", "$B:1"],
        special_tokens=list(zip(names, before, strict=True)),
    )


def _split(tokenizer: Any) -> tuple[list[int], list[int]]:
    """Special tokens that a tokenizer puts before and after every text."""
    whole = tokenizer(PROBE)["input_ids"]
    bare = tokenizer(PROBE, add_special_tokens=False)["input_ids"]
    if not bare:
        return whole, []
    first = next(
        (i for i in range(len(whole)) if whole[i : i + len(bare)] == bare), len(whole) - len(bare)
    )
    return whole[:first], whole[first + len(bare) :]
