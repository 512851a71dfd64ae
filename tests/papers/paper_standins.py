"""Stand-ins for published models: their architectures, tiny and untrained, saved as folders."""

import json

import torch
import transformers as hf
from paper_rows import qa_feedback
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors

SPECIAL = ["<pad>", "<s>", "</s>"]
SIZES = {
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 16,
}
IDS = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
VOCABULARY = 3 + 256


def byte_tokenizer(frame: str, longest: int, pad: bool) -> hf.PreTrainedTokenizerFast:
    """One token a byte; `frame` is what stands around a text, as a template of `tokenizers`."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    words = Tokenizer(
        models.BPE(vocab={t: i for i, t in enumerate([*SPECIAL, *alphabet])}, merges=[])
    )
    words.add_special_tokens(SPECIAL)
    words.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    words.decoder = decoders.ByteLevel()
    if frame:
        words.post_processor = processors.TemplateProcessing(
            single=frame,
            pair="<s> $A </s> </s> $B </s>" if "<s> " in frame else None,
            special_tokens=[("<s>", 1), ("</s>", 2)],
        )
    named = {"bos_token": "<s>", "eos_token": "</s>", "sep_token": "</s>", "cls_token": "<s>"}
    padded = {"pad_token": "<pad>"} if pad else {}
    return hf.PreTrainedTokenizerFast(
        tokenizer_object=words, **named, **padded, model_max_length=longest
    )


def llama(context: int = 400, **sizes: int):
    config = hf.LlamaConfig(
        vocab_size=VOCABULARY, max_position_embeddings=context, **(SIZES | sizes), **IDS
    )
    return hf.LlamaForCausalLM(config)


def t5():
    config = hf.T5Config(
        vocab_size=VOCABULARY, d_model=16, d_kv=8, d_ff=16, num_layers=1, num_heads=2,
        decoder_start_token_id=0, n_positions=512, initializer_factor=0.6, **IDS,
    )  # fmt: skip
    return hf.T5ForConditionalGeneration(config)


def gpt2_reward():
    config = hf.GPT2Config(
        vocab_size=VOCABULARY, n_positions=1024, n_embd=16, n_layer=1, n_head=2, num_labels=1, **IDS
    )
    return hf.GPT2ForSequenceClassification(config)


def distilbert():
    config = hf.DistilBertConfig(
        vocab_size=VOCABULARY, dim=16, n_layers=1, n_heads=2, hidden_dim=16, pad_token_id=0
    )
    return hf.DistilBertForSequenceClassification(config)


def deberta(labels: int):
    config = hf.DebertaV2Config(
        vocab_size=VOCABULARY, max_position_embeddings=2048, num_labels=labels, **SIZES, **IDS
    )
    return hf.DebertaV2ForSequenceClassification(config)


def bart():
    config = hf.BartConfig(
        vocab_size=VOCABULARY, d_model=16, encoder_layers=1, decoder_layers=1,
        encoder_attention_heads=2, decoder_attention_heads=2, encoder_ffn_dim=16,
        decoder_ffn_dim=16, max_position_embeddings=1024, decoder_start_token_id=2,
        id2label={0: "HALLUCINATED", 1: "FAITHFUL"}, **IDS,
    )  # fmt: skip
    return hf.BartForSequenceClassification(config)


def longformer(kind, labels: int):
    config = hf.LongformerConfig(
        vocab_size=VOCABULARY, max_position_embeddings=1030, attention_window=32, sep_token_id=2,
        num_labels=labels, **SIZES, **IDS,
    )  # fmt: skip
    return kind(config)


def beaver():
    config = hf.LlamaConfig(
        vocab_size=VOCABULARY, max_position_embeddings=1024, num_labels=1, **SIZES, **IDS
    )
    return hf.LlamaForSequenceClassification(config)


MODELS = {
    # start models
    "meta-llama/Llama-2-7b-hf": (llama, "<s> $A", False),
    "PKU-Alignment/alpaca-7b-reproduced": (llama, "<s> $A", True),
    "google-t5/t5-large": (t5, "$A </s>", True),
    # trained to be a reward model
    "TinyLlama/TinyLlama-1.1B-Chat-v1.0": (lambda: llama(hidden_size=8), "<s> $A", True),
    # reward models
    "Ray2333/gpt2-large-helpful-reward_model": (gpt2_reward, "", False),
    "Ray2333/gpt2-large-harmless-reward_model": (gpt2_reward, "", False),
    "Tristan/gpt2_reward_summarization": (gpt2_reward, "", False),
    "mohameddhiab/humor-no-humor": (distilbert, "<s> $A </s>", True),
    "OpenAssistant/reward-model-deberta-v3-large-v2": (lambda: deberta(1), "<s> $A </s>", True),
    "MoritzLaurer/DeBERTa-v3-base-mnli-fever-anli": (lambda: deberta(3), "<s> $A </s>", True),
    "CogComp/bart-faithful-summary-detector": (bart, "<s> $A </s>", True),
    "PKU-Alignment/beaver-7b-v1.0-reward": (beaver, "<s> $A", True),
    "PKU-Alignment/beaver-7b-v1.0-cost": (beaver, "<s> $A", True),
    "rel_rm": (lambda: longformer(hf.LongformerForTokenClassification, 3), "<s> $A </s>", True),
    "fact_rm": (lambda: longformer(hf.LongformerForTokenClassification, 3), "<s> $A </s>", True),
    "comp_rm": (lambda: longformer(hf.LongformerForSequenceClassification, 1), "<s> $A </s>", True),
}


LARGER = ("DeBERTa", "deberta", "_rm")


def save_model(name, folder) -> None:
    """The stand-in for a published model, in a folder of the form that it is published in."""
    make, frame, pad = MODELS[name]
    torch.manual_seed(len(name))
    network = make()
    with torch.no_grad():
        for weight in network.parameters():
            if weight.dim() > 1:  # large enough to tell texts apart
                weight.mul_(12.0 if any(part in name for part in LARGER) else 4.0)
    tokenizer = byte_tokenizer(frame, 512 if "humor" in name else 1024, pad)
    if isinstance(network, hf.LongformerForTokenClassification):
        _balance(network.eval(), tokenizer, "question" if name == "rel_rm" else "text")
    tokenizer.save_pretrained(folder)
    network.save_pretrained(folder)
    if "beaver" in name:
        _as_safe_rlhf(folder)


@torch.no_grad()
def _balance(network, tokenizer, column: str) -> None:
    """Let each label of a segment win about as often as another: else all segments are alike."""
    found = []
    for i in range(24):
        answer = "".join(map(chr, torch.randint(33, 127, (40,)).tolist()))
        asked = qa_feedback(i)[column].removeprefix("question: ")
        batch = tokenizer(f"question: {asked} answer: </s> {answer}", return_tensors="pt")
        place = int((batch["input_ids"][0] == 2).nonzero()[0])
        found.append(network(**batch).logits[0, place])
    network.classifier.bias -= torch.stack(found).mean(dim=0)


def _as_safe_rlhf(folder) -> None:
    """Safe RLHF saves a score model of its own, whose head has another name and a bias."""
    weights = load_file(folder / "model.safetensors")
    weights["score_head.weight"] = weights.pop("score.weight")
    weights["score_head.bias"] = torch.zeros(1)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    config = json.loads((folder / "config.json").read_text())
    for name in ("id2label", "label2id", "num_labels"):
        config.pop(name, None)
    config |= {"architectures": ["LlamaModelForScore"], "score_dim": 1, "score_type": "reward"}
    (folder / "config.json").write_text(json.dumps(config))
