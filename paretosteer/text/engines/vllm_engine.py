"""vLLM as the engine of a cell: what it can write, its memory, and a check before any training.

A control becomes one LoRA request of rank sum r, by the exact export, so a grid of preferences is
as many adapters in one batch. Words before the prompt are tokens, soft prompts are vectors.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor

from paretosteer.config.schema import ENGINE_LOG, VLLMEngine
from paretosteer.errors import UsageError
from paretosteer.policies.control import Control
from paretosteer.policies.sampling_engine import SamplingEngine
from paretosteer.runtime.batch_size import free_bytes
from paretosteer.runtime.memory import free_memory
from paretosteer.runtime.progress import say
from paretosteer.text.engines.lora_adapters import LoRAAdapters, coefficient_rows, largest_rank
from paretosteer.text.engines.vllm_limits import has_vectors, padded, refuse
from paretosteer.text.engines.vllm_process import VLLMProcess
from paretosteer.text.engines.vllm_sampler import VLLMSampler
from paretosteer.text.generate import Decoding
from paretosteer.text.model import LanguageModel
from paretosteer.text.policy import TextPolicy
from paretosteer.text.samples import Prompt

if TYPE_CHECKING:
    from paretosteer.config.setting import Setting

MOST_SLOTS = 64
SLOT_SHARE = 0.25  # of the engine's memory that adapter slots may take
CACHE_GB = 1.0  # of a CPU
CHECKED_TOKENS = 8
# Largest mean difference of log-probabilities, in nats, between vLLM and the model itself.
LIMITS = {torch.bfloat16: 0.1, torch.float16: 0.03}
LIMIT = 2e-3

_agreed: set[str] = set()  # engines that passed the check, of every cell in this process


class Room(NamedTuple):
    """Room that a process has: the rank and number of adapters, and vectors as prompts."""

    rank: int
    slots: int
    vectors: bool


class VLLM(SamplingEngine):
    """vLLM for the policies of one cell. Its process starts when it is first needed.

    Parameters
    ----------
    model, folder
        The start model, and the folder from which vLLM loads it.
    setting
        Of the cell.
    prompts
        Prompts to answer, for the check.
    log
        Folder of the cell, for the log.

    """

    def __init__(
        self,
        model: LanguageModel,
        folder: str,
        setting: Setting,
        prompts: Sequence[Prompt],
        log: Path,
    ):
        assert isinstance(setting.engine, VLLMEngine)
        self.model, self.folder, self.setting = model, folder, setting
        self.settings, self.log = setting.engine, log / ENGINE_LOG
        self._prompts = prompts
        self._adapters: LoRAAdapters | None = None
        self._process: VLLMProcess | None = None
        self._room = Room(0, 1, False)
        self._announced = False

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """End the process and remove the adapters; it starts again if it is needed again."""
        process, self._process = self._process, None
        adapters, self._adapters = self._adapters, None
        try:
            if process is not None:
                process.close()
        finally:
            if adapters is not None:
                adapters.close()

    def sampler(self, policy: TextPolicy) -> VLLMSampler:
        """Sampler of a policy, whose training it may serve."""
        refuse(policy, None)
        return VLLMSampler(policy, self)

    def attach(self, policy: TextPolicy, control: Control) -> None:
        """Write the samples of a trained policy from now on, under rows of this control."""
        refuse(policy, control)
        self._want(self._needs(policy, control))
        policy.sampler = VLLMSampler(policy, self)

    def check(self, policy: TextPolicy, control: Control | None) -> None:
        """Start vLLM for a policy, and compare the two models; once for all cells alike."""
        control = some_control(policy) if control is None else control
        refuse(policy, control)
        self._check_context(policy, control)
        self._want(self._needs(policy, control))
        setting, kind = self.setting, type(policy.conditioning)
        layers = sorted({name.rpartition(".")[2] for name in policy.layers})
        start = (setting.model_key, setting.dtype, setting.device)
        key = str((start, self.settings, self._room, kind, layers))
        if key not in _agreed:
            randomise(policy)
            self._compare(policy, control.take(torch.tensor([0, control.rows - 1])))
            _agreed.add(key)
        if not self.settings.rollouts:
            self.close()  # its memory belongs to training until the answers are written

    # -- what the sampler uses ----------------------------------------------------------------

    @property
    def adapters(self) -> LoRAAdapters:
        """Adapters of the cell's policies, for as long as the process runs."""
        if self._adapters is None:
            self._adapters = LoRAAdapters()
        return self._adapters

    def process(self, policy: TextPolicy, control: Control) -> VLLMProcess:
        """Running vLLM with room for the adapters and prompts of a control."""
        largest = largest_rank(policy, control)
        self._want(Room(largest, self._room.slots, has_vectors(policy, control)))
        if self._process is None:
            free_memory()  # what training has held on a GPU belongs to vLLM now
            if not self._announced:
                say(f"starting vLLM; its log is {self.log}")
                self._announced = True
            self.log.parent.mkdir(parents=True, exist_ok=True)
            given = (self._arguments(), self.log, self.adapters.folder)
            self._process = VLLMProcess(*given, self._gpus())
        return self._process

    # -- the process --------------------------------------------------------------------------

    def _want(self, room: Room) -> None:
        """Have this room too when the process is next used; it starts again for more."""
        held = self._room
        room = Room(
            max(held.rank, room.rank), max(held.slots, room.slots), held.vectors or room.vectors
        )
        if room != self._room:
            self.close()
            self._room = room

    def _arguments(self) -> dict[str, Any]:
        """Arguments of `vllm.LLM`."""
        room = self._room
        s, setting = self.settings, self.setting
        on_cpu = setting.device.type == "cpu"
        cache_gb = CACHE_GB if s.cache_gb is None and on_cpu else s.cache_gb
        context = min(s.context or 2**31, self.model.context)
        own = {
            "max_model_len": context if context < 2**31 else None,
            "max_num_seqs": s.rows,
            "kv_cache_memory_bytes": None if cache_gb is None else int(cache_gb * 2**30),
        }
        lora = {
            "enable_lora": True,
            "max_lora_rank": padded(room.rank),
            "max_loras": room.slots,
            "max_cpu_loras": max(room.slots, MOST_SLOTS),
        }
        return {
            "model": self.folder,
            "dtype": str(setting.dtype).removeprefix("torch."),
            "tensor_parallel_size": s.tensor_parallel,
            "gpu_memory_utilization": s.memory_share,
            "enforce_eager": on_cpu if s.eager is None else s.eager,
            "enable_prompt_embeds": room.vectors,
            "skip_tokenizer_init": True,  # prompts are tokens
            "generation_config": "vllm",  # not the model's own settings
            "logits_processors": ["paretosteer.text.engines.vllm_noise:CommonNoise"],
            "async_scheduling": False,  # the noise needs every token as it is written
            "disable_log_stats": True,
            "seed": 0,
            **(lora if room.rank else {}),
            **{name: value for name, value in own.items() if value is not None},
        }

    def _gpus(self) -> str | None:
        """GPUs for vLLM, from the cell's device on; None on a CPU."""
        if self.setting.device.type != "cuda":
            return None
        visible = os.environ.get("CUDA_VISIBLE_DEVICES")
        names = visible.split(",") if visible else list(map(str, range(torch.cuda.device_count())))
        first, count = self.setting.device.index or 0, self.settings.tensor_parallel
        if len(names) - first < count:
            raise UsageError(
                f"engine.tensor_parallel: needs {count} GPUs from number {first} on, but only "
                f"{len(names)} are visible; lower it"
            )
        return ",".join(names[first : first + count])

    def _needs(self, policy: TextPolicy, control: Control) -> Room:
        """Room for the adapters and prompts of a control."""
        largest, adapters = largest_rank(policy, control), set(coefficient_rows(policy, control))
        return Room(largest, self._slots(largest, len(adapters)), has_vectors(policy, control))

    def _slots(self, largest: int, wanted: int) -> int:
        """Adapter slots: as configured, or as many as are wanted and memory allows."""
        if not largest:
            return 1
        room = padded(largest)
        if self.settings.slots is not None:
            return self.settings.slots
        device, size = self.setting.device, self.setting.dtype.itemsize
        layers = [m for m in self.model.network.modules() if isinstance(m, torch.nn.Linear)]
        width = sum(m.in_features + m.out_features for m in layers)
        slot = width * room * size // self.settings.tensor_parallel
        memory = free_bytes(device)
        if device.type == "cuda":
            whole = torch.cuda.get_device_properties(device).total_memory
            memory = int(whole * self.settings.memory_share)
        fitting = int(memory * SLOT_SHARE) // max(1, slot)
        if fitting == 0:
            raise UsageError(
                f"engine: an adapter slot of rank {room} takes {slot / 2**30:.2g} GB, more than "
                f"{SLOT_SHARE:.0%} of the engine's memory; lower method.rank, raise "
                "engine.memory_share, or set engine=native"
            )
        return min(wanted, fitting, MOST_SLOTS)

    def _check_context(self, policy: TextPolicy, control: Control) -> None:
        """Raise UsageError if `engine.context` is too small for a prompt and its response."""
        if (context := self.settings.context) is None:
            return
        length = policy.encode.length
        prompt = max(self._prompts, key=lambda prompt: length(prompt.text))
        words = [length(each) for each in control.words] or [0]
        row = control.take(torch.tensor([words.index(max(words))]))
        new = max(each.max_new_tokens for each in (policy.decoding, policy.answering) if each)
        needed = VLLMSampler(policy, self).prompt_tokens([prompt], row, new) + new
        if needed > context:
            raise UsageError(
                f"engine.context: found {context}, but prompt {prompt.id!r} and its response have "
                f"up to {needed} tokens; raise it, or set it to null"
            )

    def _compare(self, policy: TextPolicy, control: Control) -> None:
        """Raise UsageError unless vLLM gives its tokens the log-probabilities of the model."""
        prompts = [self._prompts[i % len(self._prompts)] for i in range(control.rows)]
        decoding = Decoding(CHECKED_TOKENS)
        sampler = VLLMSampler(policy, self)
        written, found = sampler.written(prompts, control, 0, range(control.rows), decoding)
        expected = sampler.score(prompts, control, written, decoding, plain=True)
        difference = float((found - expected)[written.mask].abs().mean())
        limit = LIMITS.get(self.setting.dtype, LIMIT)
        if not difference <= limit:
            raise UsageError(
                "engine: the log-probabilities of vLLM differ from those of the model itself (by "
                f"{difference:.2g} nats on average, more than {limit:g}); set engine=native"
            )


def some_control(policy: TextPolicy) -> Control:
    """Two control rows that turn on every bank, where those of the method follow from training."""
    count = next((layer.count for layer in policy.layers.values()), 0)
    if policy.conditioning.steered_by != "soup" or not count:
        return Control.start(2)
    rows: Tensor = torch.linspace(1.0, -0.5, 2 * count).view(2, count) + 0.01  # none is 0
    return Control.soup(rows)


@torch.no_grad()
def randomise(policy: TextPolicy) -> None:
    """Make every bank of an untrained policy change the model: B is 0 at first."""
    generator = torch.Generator().manual_seed(0)
    for name, tensor in policy.state().items():
        if name.endswith(".B"):
            width = tensor.shape[-1]
            draw = torch.randn(tensor.shape, generator=generator) * 0.1 / max(1, width) ** 0.5
            tensor.copy_(draw)
