"""LoRA of a reward model's backbone, trained together with the linear head.

Training starts at the frozen backbone and the head fitted to its features (see `backbone_reward`),
with the Bradley–Terry loss; validation pairs choose the number of epochs. Where they choose none,
the frozen backbone is kept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from paretosteer.text.dialogue import Dialogue
from paretosteer.text.pairs import Pair
from paretosteer.text.rewards.accuracy import Floats, LoraFacts
from paretosteer.text.rewards.backbone import AdaptedBackbone, Backbone
from paretosteer.text.rewards.backbone_reward import Head, PairFeatures, train_head, write_head
from paretosteer.text.rewards.bag_of_words import Progress
from paretosteer.text.rewards.bradley_terry import RewardTraining, fit, validation_split
from paretosteer.training.snapshots import Journal

LORA_VERSION = "1"  # raise it when the same pairs would give another LoRA
TRAINING = RewardTraining(form="backbone", epochs=3, batch=16, lr=2e-4, weight_decay=0.0)
_AT_ONCE = 2  # pairs in one pass, which bounds the memory for activations


class _Adapting:
    """Reward linear in the features of an adapted backbone, whose factors are trained with it."""

    progress: Progress | None = None

    def __init__(self, backbone: AdaptedBackbone, head: Head):
        self.backbone, self.start = backbone, head
        device = backbone.network.device
        self.scale = torch.as_tensor(head.scale, dtype=torch.float32, device=device)
        scaled = torch.as_tensor(head.scaled, dtype=torch.float32, device=device)
        self.network = nn.ParameterList([scaled, *backbone.factors.values()])

    @property
    def head(self) -> Head:
        return replace(self.start, scaled=self.network[0].detach().cpu().double().numpy())

    def encode(self, prompt: Dialogue, answer: str) -> Mapping[str, list[int]]:
        row = self.backbone.encode(prompt, answer)
        assert row is not None  # else the pair has no features, and is left out
        return row

    def rewards(self, rows: Sequence[Mapping[str, list[int]]]) -> Tensor:
        return self.backbone.read(rows) @ (self.network[0] / self.scale)

    def score(self, prompts: Sequence[Dialogue], answers: Sequence[str]) -> Floats:
        return self.backbone.features(prompts, answers) @ self.head.weights


def train_lora(
    train: Sequence[Pair],
    held_out: Sequence[Pair],
    features: PairFeatures,
    held_out_features: PairFeatures,
    backbone: Backbone,
    rank: int,
    folder: Path,
    progress: Progress | None = None,
    journal: Journal | None = None,
) -> LoraFacts:
    """Train a LoRA and a head on `train`, evaluate them on `held_out`, and write them to a folder.

    `features` and `held_out_features` are those of the frozen backbone. Pairs without features are
    left out. A killed training run resumes from the snapshots of its `journal`.
    """
    row_of = {train[i]: i for i in features.finite}
    fit_pairs, val_pairs = validation_split(list(row_of), TRAINING)
    frozen = features.take([row_of[pair] for pair in fit_pairs])
    head = Head.fit(frozen, [pair.key for pair in fit_pairs], progress)
    model = _Adapting(AdaptedBackbone(backbone.model, rank), head)
    model.progress = progress
    epochs = fit(model, fit_pairs, TRAINING, val_pairs, journal=journal, at_once=_AT_ONCE)
    if epochs == 0:
        facts = train_head(train, held_out, features, held_out_features, folder, progress)
    else:
        if progress:
            progress("reading all pairs with the LoRA")
        own, unseen = (PairFeatures.of(model.backbone, x) for x in (list(row_of), held_out))
        facts = write_head(model.head, train, held_out, own, unseen, folder, progress)
        model.backbone.save(folder)
    steps = epochs * -(-len(fit_pairs) // TRAINING.batch)
    return LoraFacts(**(asdict(facts) | {"epochs": epochs, "rank": rank, "steps": steps}))
