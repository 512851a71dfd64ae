"""Environment variables of the machine, the user and the launcher."""

from __future__ import annotations

import re

# They may differ when a sweep is resumed, and are not meant to change what a plug-in computes.
_OF_PLACE = re.compile(
    "(HOME|(OLD)?PWD|USER|LOGNAME|HOSTNAME|SHELL|SHLVL|_|TERM|DISPLAY|COLUMNS|LINES|PATH|TMPDIR|TMP"
    "|TEMP|TZ|LANG|LS_COLORS|EDITOR|PAGER|STY|WINDOWID|INVOCATION_ID|JOURNAL_STREAM|MAIL"
    "|VIRTUAL_ENV|JOB_ID|([A-Z]+_)?(RANK|WORLD_SIZE)|MASTER_ADDR|MASTER_PORT"
    "|(ACCELERATE|CONDA|CUDA|DBUS|HF|HIP|JOBLIB|KUBERNETES|LC|LD|LSB|MKL|NCCL|NVIDIA|OMP|OMPI"
    "|OPENBLAS|PARETOSTEER|PBS|PMI|PYTORCH|RAY|ROCR|SGE|SLURMD?|SSH|SUBMITIT|TMUX|TOKENIZERS"
    "|TORCH(ELASTIC)?|TRANSFORMERS|WANDB|XDG)_.*|TMUX|PYTHON.*)"
)


def is_of_place(name: str) -> bool:
    """True for a variable such as `HOME`, `CUDA_VISIBLE_DEVICES` or `SLURM_JOB_ID`."""
    return _OF_PLACE.fullmatch(name) is not None
