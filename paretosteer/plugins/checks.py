"""Checks that an object offered by a plug-in fits its group. Heavy imports are deferred."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from inspect import getattr_static, signature
from pkgutil import resolve_name
from typing import Any

# What each group's plug-ins derive from, or are instances of. By name: the base classes lie in
# higher layers, which find plug-ins through the registry, and importing them takes seconds.
BASES = {
    "methods": "paretosteer.method:Method",
    "benchmarks": "paretosteer.benchmark:Benchmark",
    "objectives": "paretosteer.objective:TextObjective",
    "metrics": "paretosteer.metrics.row_metric:RowMetric",
    "feedback": "paretosteer.training.feedback:Feedback",
    "conditionings": "paretosteer.policies.conditioning:Conditioning",
}


def fault(group: str, name: Any, offered: Any) -> str | None:
    """Describe what is wrong with an object offered under a name, and the remedy, if anything."""
    if not isinstance(name, str) or not name.replace("-", "_").isidentifier():
        return "is not a valid name; use letters, digits, - and _"
    return CHECKS[group](name, offered)


def _method(name: str, offered: Any) -> str | None:
    return _class(offered, "methods")


def _benchmark(name: str, offered: Any) -> str | None:
    if wrong := _class(offered, "benchmarks"):
        return wrong
    if not hasattr(offered, "feedback"):
        return "has no feedback; list the kinds that it supports"
    return _named(name, getattr(offered, "name", None))


def _objective(name: str, offered: Any) -> str | None:
    wrong = _instance(offered, "objectives") or _named(name, offered.name) or _versioned(offered)
    return wrong or _callable("score", offered.score, ["text"])


def _metric(name: str, offered: Any) -> str | None:
    from paretosteer.metrics.row_metric import ROW_INPUTS

    wrong = _instance(offered, "metrics") or _named(name, offered.name) or _versioned(offered)
    if wrong:
        return wrong
    if offered.direction not in ("up", "down", "shown"):
        return f"has direction {offered.direction!r}; use up, down or shown"
    if unknown := [need for need in offered.needs if need not in ROW_INPUTS]:
        return f"needs {unknown[0]!r}; use any of {', '.join(ROW_INPUTS)}"
    return _callable("function", offered.function, offered.needs)


def _callable(member: str, offered: Any, inputs: Sequence[str]) -> str | None:
    """Describe why a function cannot be called with these positional arguments, if so."""
    if not callable(offered):
        return f"has no {member}; add one"
    try:
        signature(offered).bind(*inputs)
    except TypeError as error:
        return f"has a {member} with a wrong signature: {error}; let it take {', '.join(inputs)}"
    except ValueError:  # some built-in functions have no signature
        pass
    return None


def _feedback(name: str, offered: Any) -> str | None:
    return _subclass(offered, "feedback") or _versioned(offered)


def _conditioning(name: str, offered: Any) -> str | None:
    if wrong := _subclass(offered, "conditionings") or _versioned(offered):
        return wrong
    if getattr_static(offered, "of") is getattr_static(resolve_name(BASES["conditionings"]), "of"):
        return "does not define of; add the class method that builds it from a method's options"
    return None


CHECKS: dict[str, Callable[[str, Any], str | None]] = {
    "methods": _method,
    "benchmarks": _benchmark,
    "objectives": _objective,
    "metrics": _metric,
    "feedback": _feedback,
    "conditionings": _conditioning,
}


def _class(offered: Any, group: str) -> str | None:
    if wrong := _subclass(offered, group):
        return wrong
    return _options(getattr(offered, "Options", None)) or _versioned(offered)


def _subclass(offered: Any, group: str) -> str | None:
    base = resolve_name(BASES[group])
    if not isinstance(offered, type):
        return "is not a class; offer the class itself"
    if not issubclass(offered, base):
        name = f"{base.__module__}.{base.__name__}"
        return f"is not a subclass of {name}; derive it from {base.__name__}"
    if missing := getattr(offered, "__abstractmethods__", None):
        return f"does not define {', '.join(sorted(missing))}; add the missing definitions"
    return None


def _options(kind: Any) -> str | None:
    """Describe why `Options` cannot be used as a Hydra configuration, if so."""
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    from paretosteer.config import options
    from paretosteer.errors import first_line

    if not (isinstance(kind, type) and issubclass(kind, options.BaseOptions)):
        return "has no Options; derive a class of this name from BaseOptions"
    try:
        OmegaConf.create(options.defaults(kind))
    except (TypeError, ValueError, OmegaConfBaseException) as error:
        return f"has Options that Hydra cannot read: {first_line(error)}; use plain defaults"
    return None


def _instance(offered: Any, group: str) -> str | None:
    kind = resolve_name(BASES[group])
    if isinstance(offered, kind):
        return None
    return f"is not a {kind.__module__}.{kind.__name__}; offer an instance of it"


def _named(name: str, own_name: Any) -> str | None:
    # Caches, scores and columns use the object's own name, so both must agree.
    return None if own_name == name else f"has the name {own_name!r}; use the same name in both"


def _versioned(offered: Any) -> str | None:
    version = getattr(offered, "version", None)
    if isinstance(version, str) and version:
        return None
    return 'has no version; set version = "1"'
