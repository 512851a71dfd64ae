"""Stand-ins for published reward models: their architectures, tiny and untrained, as folders."""

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import (
    BartConfig,
    BartForSequenceClassification,
    DebertaV2Config,
    DebertaV2ForSequenceClassification,
    DistilBertConfig,
    DistilBertForSequenceClassification,
    GPT2Config,
    GPT2ForSequenceClassification,
    LlamaConfig,
    LlamaForSequenceClassification,
    LongformerConfig,
    LongformerForTokenClassification,
    PreTrainedTokenizerFast,
    RobertaConfig,
    RobertaForSequenceClassification,
)

SPECIAL = ["<pad>", "<s>", "</s>"]
TEXT = ["A small boat sails over the quiet lake, and nobody is there to see it. Is it so?"] * 3


def build_tokenizer(framed: bool) -> PreTrainedTokenizerFast:
    """A byte-level BPE; `framed` puts <s> and </s> around one text or two, as BART does."""
    words = Tokenizer(models.BPE())
    words.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    words.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    words.train_from_iterator(
        TEXT, trainers.BpeTrainer(special_tokens=SPECIAL, initial_alphabet=alphabet)
    )
    if framed:
        words.post_processor = processors.TemplateProcessing(
            single="<s> $A </s>",
            pair="<s> $A </s> </s> $B </s>",
            special_tokens=[("<s>", 1), ("</s>", 2)],
        )
    named = {"bos_token": "<s>", "eos_token": "</s>", "sep_token": "</s>", "cls_token": "<s>"}
    return PreTrainedTokenizerFast(
        tokenizer_object=words, pad_token="<pad>", **named, model_max_length=128
    )


def network(kind: str, size: int):
    """A tiny network of one of the architectures, with weights large enough to tell texts apart."""
    ids = {"vocab_size": size, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
    made = {
        "gpt2": lambda: GPT2ForSequenceClassification(
            GPT2Config(**ids, n_positions=128, n_embd=16, n_layer=2, n_head=2, num_labels=1)
        ),
        "llama": lambda: LlamaForSequenceClassification(
            LlamaConfig(**ids, **_SIZES, intermediate_size=24, num_labels=1)
        ),
        "deberta": lambda: DebertaV2ForSequenceClassification(
            DebertaV2Config(**ids, **_SIZES, intermediate_size=24, num_labels=1)
        ),
        "roberta": lambda: RobertaForSequenceClassification(
            RobertaConfig(**ids, **_SIZES, intermediate_size=24, num_labels=1)
        ),
        "distilbert": lambda: DistilBertForSequenceClassification(
            DistilBertConfig(
                vocab_size=size, pad_token_id=0, dim=16, n_layers=2, n_heads=2, hidden_dim=24
            )
        ),
        "bart": lambda: BartForSequenceClassification(
            BartConfig(
                **ids,
                d_model=16,
                encoder_layers=1,
                decoder_layers=1,
                encoder_attention_heads=2,
                decoder_attention_heads=2,
                encoder_ffn_dim=24,
                decoder_ffn_dim=24,
                max_position_embeddings=128,
                id2label={0: "faithless", 1: "faithful"},  # else saved as if it had the usual three
                decoder_start_token_id=2,
            )
        ),
        "longformer": lambda: LongformerForTokenClassification(
            LongformerConfig(
                **ids,
                **_SIZES,
                intermediate_size=24,
                sep_token_id=2,
                attention_window=16,
                num_labels=3,
            )
        ),
    }[kind]()
    with torch.no_grad():
        for weight in made.parameters():
            if weight.dim() > 1:
                weight.mul_(12.0 if kind == "deberta" else 5.0)
    return made


_SIZES = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "max_position_embeddings": 130,
}


@pytest.fixture(scope="session")
def stand_in(tmp_path_factory):
    """Folder of a stand-in of an architecture, made once."""
    made = {}

    def folder(kind: str):
        if kind not in made:
            made[kind] = tmp_path_factory.mktemp(kind)
            tokenizer = build_tokenizer(framed=kind not in {"gpt2", "llama"})
            torch.manual_seed(3)
            network(kind, len(tokenizer)).save_pretrained(made[kind])
            tokenizer.save_pretrained(made[kind])
        return made[kind]

    return folder
