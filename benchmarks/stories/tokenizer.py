"""A word-level Hugging Face tokenizer made from the grammar's vocabulary, in code, offline."""

import string

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from paretosteer.benchmarks.stories.story import END, vocabulary

PAD, BOS, UNKNOWN = "[pad]", "[bos]", "[unk]"
CONTEXT = 256  # tokens

# Words with which a method may write a preference: "positive: 0.3; varied: 0.7."
PREFERENCE_WORDS = ("positive", "varied", "readable", "dialogue", "short", "long", "sentences")
MARKS = tuple(".,!?:;-_“”")


def build_tokenizer() -> PreTrainedTokenizerFast:
    """Words and marks as in `words.py`, digits one by one; pads on the left, starts with [bos].

    Unknown words become [unk]. Decoding gives natural spacing and straight quotes back.
    """
    tokenizer = Tokenizer(models.WordLevel({t: i for i, t in enumerate(_tokens())}, UNKNOWN))
    tokenizer.normalizer = normalizers.Sequence(
        [
            normalizers.Replace(Regex(r'(?<!\S)"'), "“"),  # after a space or at the very start
            normalizers.Replace('"', "”"),
        ]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Split(
        Regex(r"[^\W\d_]+|[^\s]"), behavior="removed", invert=True
    )
    tokenizer.decoder = decoders.Sequence(
        [
            decoders.WordPiece(prefix="##", cleanup=False),  # a space before all but the first
            decoders.Fuse(),
            *(decoders.Replace(f" {mark}", mark) for mark in ".,!?:;”"),
            decoders.Replace("“ ", '"'),
            decoders.Replace("”", '"'),
            decoders.Replace(Regex(r"(?<=[\d.]) (?=\d)"), ""),
        ]
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{BOS} $A", pair=f"{BOS} $A $B", special_tokens=[(BOS, _tokens().index(BOS))]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        bos_token=BOS,
        eos_token=END,
        unk_token=UNKNOWN,
        padding_side="left",
        model_max_length=CONTEXT,
        model_input_names=["input_ids", "attention_mask"],
        clean_up_tokenization_spaces=False,
    )


def _tokens() -> list[str]:
    """Special tokens first, the rest sorted: the position is the token id."""
    extra = {*PREFERENCE_WORDS, *MARKS, *string.digits}
    return [PAD, BOS, END, UNKNOWN, *sorted({*vocabulary(), *extra})]
