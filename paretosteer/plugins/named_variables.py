"""Environment variables that a plug-in's source reads, such as `os.environ["SCALE"]`."""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Iterator

from paretosteer.runtime.secrets import is_secret_name

# Those of the machine, the user and the launcher, which a resumed sweep may have others of.
_OF_PLACE = re.compile(
    "(HOME|PWD|USER|LOGNAME|HOSTNAME|SHELL|TERM|DISPLAY|COLUMNS|PATH|TMPDIR|TMP|TEMP|VIRTUAL_ENV"
    "|RANK|LOCAL_RANK|WORLD_SIZE|LOCAL_WORLD_SIZE|MASTER_ADDR|MASTER_PORT|JOB_ID"
    "|(CONDA|CUDA|HF|HIP|JOBLIB|KUBERNETES|LC|LD|LSB|MKL|NCCL|NVIDIA|OMP|OMPI|OPENBLAS|PARETOSTEER"
    "|PBS|PMI|PYTORCH|RAY|SGE|SLURM|SSH|TOKENIZERS|TORCH|TRANSFORMERS|WANDB|XDG)_.*|PYTHON.*)"
)


def named_variables(tree: ast.Module) -> dict[str, str | None]:
    """Values of the variables that a source reads by a name it spells out; None: not set.

    Left out are those of the machine and the launcher, and secrets.
    """
    names = {name for node in ast.walk(tree) for name in _names(node)}
    return {
        name: os.environ.get(name)
        for name in sorted(names)
        if not _OF_PLACE.fullmatch(name) and not is_secret_name(name)
    }


def _names(node: ast.AST) -> Iterator[str]:
    """Name in `os.environ[…]`, `os.environ.get(…)` or `os.getenv(…)`."""
    if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load):
        named = node.slice if _called(node.value) == "environ" else None
    elif isinstance(node, ast.Call) and node.args:
        owner = node.func.value if isinstance(node.func, ast.Attribute) else None
        gets = _called(node.func) == "get" and owner is not None and _called(owner) == "environ"
        named = node.args[0] if gets or _called(node.func) == "getenv" else None
    else:
        return
    if isinstance(named, ast.Constant) and isinstance(named.value, str):
        yield named.value


def _called(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")
