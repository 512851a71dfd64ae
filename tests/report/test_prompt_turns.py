"""The page shows what distinguishes prompts, whatever their chat template."""

import pytest

from paretosteer.report.page.prompt_turns import prompt_turns

CHATS = {
    "ChatML": (
        "<|im_start|>system\nBe kind.<|im_end|>\n<|im_start|>user\n",
        "<|im_end|>\n<|im_start|>assistant\n",
    ),
    "Llama 2": ("<s>[INST] ", " [/INST]"),
    "transcript": ("\n\nHuman: ", "\n\nAssistant:"),
    "instruction": ("Summarize the post.\nPost: ", "\nTL;DR:"),
}


@pytest.mark.parametrize("name", CHATS)
def test_turns_have_no_frame(name: str) -> None:
    before, after = CHATS[name]
    turns = ["What is a fox?", "What is a\nred fox, or fox: a tale <b>?"]
    assert prompt_turns([before + turn + after for turn in turns]) == turns


@pytest.mark.parametrize("name", ["ChatML", "transcript"])
def test_the_last_of_several_turns_is_shown(name: str) -> None:
    before, after = CHATS[name]
    opener = before.strip("\n").rpartition("\n")[2]
    several = f"{before}Hello{after} Hi\n\n{opener}And a hen?{after}"
    assert prompt_turns([several, f"{before}A fox?{after}"]) == ["And a hen?", "A fox?"]


@pytest.mark.parametrize(
    "prompts",
    [
        [],
        ["<user>\nalone\n"],
        ["<user>\nalike\n"] * 2,
        ["Once upon a time, a fox", "Once upon a time, a hen"],
        ["Prompt 0", "Prompt 1"],
        ["Why?", "How?"],
    ],
)
def test_prompts_without_a_frame_remain(prompts: list[str]) -> None:
    assert prompt_turns(prompts) == prompts


def test_an_empty_turn_is_shown_whole() -> None:
    assert prompt_turns(["User: hi\n\nBot:", "User: \n\nBot:"]) == ["hi", "User: \n\nBot:"]
