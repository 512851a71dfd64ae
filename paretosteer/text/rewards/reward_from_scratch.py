"""Reward model trained from scratch on pairs: a Llama initialised as a bag of tokens.

With a few thousand pairs, a randomly initialised network memorises them before it learns anything
useful. So training starts at the solution of a convex problem, the penalised logistic regression on
token counts. The solution is written into the weights of a one-layer Llama, and training continues
only as long as the validation loss improves.

The last token attends to all n tokens equally, because its queries are zero, and its own vector is
negligible. In the residual stream, coordinate 0 of a token is its weight w, and coordinate 1 is one
for <s> and zero for other tokens. The mean over tokens is therefore (Σw, 1)/n. The final norm
divides by the length of this vector, so n cancels: (Σw, 1) is a sum over any number of tokens.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import torch

from paretosteer.text.pairs import Pair
from paretosteer.text.rewards.bag_of_words import Progress, fit_linear

SPECIAL = ("<pad>", "<s>", "</s>")
VOCABULARY, WIDTH, CONTEXT = 4000, 32, 512
# Small enough for the final norm, which divides by sqrt(1 + (scale Σw)²), to be almost linear.
_SCALE = 0.05
_END = 1e-3  # norm of the last token's own vector, far below that of any mean


def scratch_tokenizer(pairs: Iterable[Pair]) -> Any:
    """Train a lower-casing byte-level BPE on the answers; it encodes `<s> answer </s>`."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
    from tokenizers.trainers import BpeTrainer
    from transformers import PreTrainedTokenizerFast

    words = Tokenizer(models.BPE())
    words.normalizer = normalizers.Lowercase()
    words.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    words.decoder = decoders.ByteLevel()
    trainer = BpeTrainer(
        vocab_size=VOCABULARY,
        min_frequency=2,
        special_tokens=list(SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    words.train_from_iterator((text for p in pairs for text in (p.chosen, p.rejected)), trainer)
    pad, first, last = SPECIAL
    words.post_processor = processors.TemplateProcessing(
        single=f"{first} $A {last}",
        pair=f"{first} $A {last} $B {last}",
        special_tokens=[(first, 1), (last, 2)],
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=words,
        pad_token=pad,
        bos_token=first,
        eos_token=last,
        model_max_length=CONTEXT,
    )


def scratch_network(
    pairs: Sequence[Pair], tokenizer: Any, seed: int, progress: Progress | None = None
) -> Any:
    """Llama that gives an answer the score of a bag of tokens fitted on these pairs."""
    from transformers import LlamaConfig, LlamaForSequenceClassification

    def units(text: str) -> list[int]:
        ids = tokenizer(text, truncation=True, max_length=CONTEXT).input_ids
        return list(ids[1:-1])  # without <s> and </s>

    fitted = fit_linear(pairs, units, progress)
    torch.manual_seed(seed)
    network = LlamaForSequenceClassification(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=WIDTH,
            intermediate_size=2 * WIDTH,
            num_hidden_layers=1,
            num_attention_heads=2,
            max_position_embeddings=CONTEXT,
            rms_norm_eps=1e-12,
            num_labels=1,
            pad_token_id=0,
            bos_token_id=1,
            eos_token_id=2,
        )
    )
    weights = torch.zeros(len(tokenizer))
    weights[list(fitted.weights)] = torch.tensor(list(fitted.weights.values()))
    _write(network, weights)
    return network


@torch.no_grad()
def _write(network: Any, weights: torch.Tensor) -> None:
    """Write token weights (vocabulary,) into a network.

    All other paths contribute nothing at first, but receive gradients.
    """
    table = network.model.embed_tokens.weight  # (vocabulary, width)
    table.normal_(0.0, 0.3 / WIDTH**0.5)
    table[:, 1], table[:, 2] = 0.0, 1.0
    # The norm before attention divides by the length of a token's vector.
    table[:, 0] = _SCALE * weights * table[:, 1:].norm(dim=1)
    table[1:3] = 0.0
    table[1, 1], table[2, 2] = 1.0, _END
    layer = network.model.layers[0]
    layer.self_attn.q_proj.weight.zero_()
    layer.self_attn.v_proj.weight.copy_(torch.eye(WIDTH))
    layer.self_attn.o_proj.weight.zero_()
    layer.self_attn.o_proj.weight[[0, 1], [0, 1]] = 1.0
    layer.mlp.down_proj.weight.zero_()
    network.score.weight.normal_(0.0, 0.05)
    network.score.weight[0, 0], network.score.weight[0, 1] = 1.0 / (_SCALE * WIDTH**0.5), 0.0
