"""Stand-in for vLLM: the parts of its interface that we use, on transformers and PEFT.

Requests join a batch of `max_num_seqs` rows while others leave it, and rows change places, as in
vLLM's batches.
"""

import json
import os
import time
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

import torch

from vllm.v1.sample.logits_processor import BatchUpdate, MoveDirectionality

print("vllm: a stand-in is loaded")


@dataclass
class SamplingParams:
    temperature: float
    max_tokens: int
    stop_token_ids: list
    ignore_eos: bool
    detokenize: bool
    logprobs: int
    extra_args: dict


class LLM:
    def __init__(self, model, logits_processors, max_num_seqs=3, max_loras=0, **settings):
        if os.environ.get("FAKE_VLLM_FAILS") == "start":
            raise RuntimeError("out of room\nin two lines")
        from transformers import AutoModelForCausalLM

        self.settings = {"max_loras": max_loras, **settings}
        self.network = AutoModelForCausalLM.from_pretrained(model).eval()
        room = settings.get("max_model_len", 2048)
        self.model_config = SimpleNamespace(dtype=torch.float32, max_model_len=room)
        self.rows, self.loaded, self.removed = max_num_seqs, {}, []
        module, name = logits_processors[0].split(":")
        self.processor = getattr(import_module(module), name)(None, torch.device("cpu"), False)
        assert not self.processor.is_argmax_invariant()
        self.llm_engine = SimpleNamespace(remove_lora=self.remove)

    def remove(self, number):
        del self.loaded[number]
        self.removed.append(number)

    @torch.no_grad()
    def generate(self, prompts, params, lora_request, use_tqdm):
        if os.environ.get("FAKE_VLLM_FAILS") == "generate":
            raise RuntimeError("generation failed")
        if os.environ.get("FAKE_VLLM_FAILS") == "hang":
            print("writing", flush=True)
            time.sleep(600)
        # Beside others, rows without an adapter get one of another row in the kernels for CPUs.
        assert len({lora is None for lora in lora_request}) == 1
        waiting = list(enumerate(zip(prompts, params, lora_request, strict=True)))
        results, batch = {}, []
        while waiting or batch:
            removed, moved, added = [], [], []
            while waiting and len(batch) < self.rows:
                number, (prompt, own, lora) = waiting.pop(0)
                row = SimpleNamespace(number=number, prompt=prompt, own=own, lora=lora)
                row.written, row.logprobs = [], []
                added.append((len(batch), own, prompt.get("prompt_token_ids"), row.written))
                batch.append(row)
            if len(batch) > 1:  # a swap at every step
                batch[0], batch[-1] = batch[-1], batch[0]
                moved.append((0, len(batch) - 1, MoveDirectionality.SWAP))
            self.processor.update_state(BatchUpdate(len(batch), [], added, moved))
            raw = torch.stack([self.logits(row) for row in batch])
            plain = torch.log_softmax(raw, dim=-1)
            taken = self.processor.apply(raw.clone()).argmax(dim=-1).tolist()
            ended, moved = [], []
            for index, (row, token) in enumerate(zip(batch, taken, strict=True)):
                row.written.append(token)
                row.logprobs.append({token: SimpleNamespace(logprob=float(plain[index, token]))})
                if token in row.own.stop_token_ids or len(row.written) == row.own.max_tokens:
                    ended.append(index)
            for index in reversed(ended):
                done = batch[index]
                results[done.number] = SimpleNamespace(
                    token_ids=done.written, logprobs=done.logprobs
                )
                removed.append(index)
                last = len(batch) - 1
                if index != last:
                    batch[index] = batch[last]
                    moved.append((last, index, MoveDirectionality.UNIDIRECTIONAL))
                batch.pop()
            self.processor.update_state(BatchUpdate(len(batch), removed, [], moved))
        return [SimpleNamespace(outputs=[results[i]]) for i in range(len(prompts))]

    def logits(self, row):
        embed = self.network.get_input_embeddings()
        written = torch.tensor(row.written, dtype=torch.int64)
        if (vectors := row.prompt.get("prompt_embeds")) is None:
            vectors = embed(torch.tensor(row.prompt["prompt_token_ids"]))
        network = self.network if row.lora is None else self.adapted(row.lora)
        inputs = torch.cat([vectors, embed(written)]).unsqueeze(0)
        return network(inputs_embeds=inputs).logits[0, -1]

    def adapted(self, request):
        """The network with a LoRA, loaded once."""
        from peft import PeftModel
        from transformers import AutoModelForCausalLM

        if request.lora_int_id not in self.loaded:
            folder = Path(request.lora_path)
            rank = json.loads((folder / "adapter_config.json").read_text())["r"]
            assert self.settings["enable_lora"] and rank <= self.settings["max_lora_rank"]
            base = AutoModelForCausalLM.from_config(self.network.config)
            base.load_state_dict(self.network.state_dict())
            self.loaded[request.lora_int_id] = PeftModel.from_pretrained(base, folder).eval()
        return self.loaded[request.lora_int_id]
