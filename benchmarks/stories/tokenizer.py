"""Word-level Hugging Face tokenizer built from the vocabulary of the grammar."""

import string

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from paretosteer.benchmarks.stories.story import END, vocabulary

PAD, BOS, UNKNOWN = "[pad]", "[bos]", "[unk]"
CONTEXT = 256  # tokens

# Words for methods that write the preference into the prompt: "positive: 0.3; varied: 0.7."
PREFERENCE_WORDS = ("positive", "varied", "readable", "dialogue", "short", "long", "sentences")
MARKS = tuple(".,!?:;-_“”")


def build_tokenizer() -> PreTrainedTokenizerFast:
    """Build the tokenizer: words and marks as in `words.py`, one token per digit.

    Texts start with [bos] and are padded on the left; unknown words become [unk]. Decoding restores
    natural spacing and straight quotes.
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
    """Vocabulary in the order of token ids: special tokens first, the rest sorted."""
    extra = {*PREFERENCE_WORDS, *MARKS, *string.digits}
    return [PAD, BOS, END, UNKNOWN, *sorted({*vocabulary(), *extra})]
