from collections import namedtuple

LoRARequest = namedtuple("LoRARequest", "lora_name lora_int_id lora_path")
