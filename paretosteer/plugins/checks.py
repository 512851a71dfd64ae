"""Whether what a plug-in offers can be used as what it is offered for. Imports only when asked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def fault(group: str, name: Any, found: Any) -> str | None:
    """What is wrong with something offered under a name, with the remedy; None where nothing is."""
    if not isinstance(name, str) or not name.replace("-", "_").isidentifier():
        return "is no name; use letters, digits, - and _"
    return CHECKS[group](name, found)


def _method(name: str, found: Any) -> str | None:
    from paretosteer.method import Method

    return _class(found, Method)


def _benchmark(name: str, found: Any) -> str | None:
    from paretosteer.benchmark import Benchmark

    if wrong := _class(found, Benchmark):
        return wrong
    if not hasattr(found, "feedback"):
        return "has no feedback; say which kinds it gives"
    return _named(name, getattr(found, "name", None))


def _objective(name: str, found: Any) -> str | None:
    from paretosteer.text.objective import TextObjective

    return _instance(found, TextObjective) or _named(name, found.name) or _versioned(found)


def _metric(name: str, found: Any) -> str | None:
    from paretosteer.metrics.row_metric import ROW_INPUTS, RowMetric

    if wrong := _instance(found, RowMetric) or _named(name, found.name) or _versioned(found):
        return wrong
    if found.direction not in ("up", "down", "shown"):
        return f"has the direction {found.direction!r}; give up, down or shown"
    if not callable(found.function):
        return "has no function; give one"
    if unknown := [need for need in found.needs if need not in ROW_INPUTS]:
        return f"needs {unknown[0]!r}; give any of {', '.join(ROW_INPUTS)}"
    return None


def _feedback(name: str, found: Any) -> str | None:
    from paretosteer.training.feedback import Feedback

    return _subclass(found, Feedback) or _versioned(found)


CHECKS: dict[str, Callable[[str, Any], str | None]] = {
    "methods": _method,
    "benchmarks": _benchmark,
    "objectives": _objective,
    "metrics": _metric,
    "feedback": _feedback,
}


def _class(found: Any, base: type) -> str | None:
    if wrong := _subclass(found, base):
        return wrong
    return _options(getattr(found, "Options", None)) or _versioned(found)


def _subclass(found: Any, base: type) -> str | None:
    if not isinstance(found, type):
        return "is not a class; name one"
    if not issubclass(found, base):
        return f"is no subclass of {base.__module__}.{base.__name__}; make it one"
    if missing := getattr(found, "__abstractmethods__", None):
        return f"does not define {', '.join(sorted(missing))}; define what is missing"
    return None


def _options(kind: Any) -> str | None:
    """What keeps options from having a configuration."""
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    from paretosteer.config import options
    from paretosteer.errors import first_line

    if not (isinstance(kind, type) and issubclass(kind, options.BaseOptions)):
        return "has no Options; derive a class of that name from BaseOptions"
    try:
        OmegaConf.create(options.defaults(kind))
    except (TypeError, ValueError, OmegaConfBaseException) as error:
        return f"has Options that cannot be configured: {first_line(error)}; give plain defaults"
    return None


def _instance(found: Any, kind: type) -> str | None:
    if isinstance(found, kind):
        return None
    return f"is no {kind.__module__}.{kind.__name__}; make it one"


def _named(name: str, own: Any) -> str | None:
    """Caches, scores and columns go by what a thing calls itself."""
    return None if own == name else f"calls itself {own!r}; give it one name"


def _versioned(found: Any) -> str | None:
    version = getattr(found, "version", None)
    if isinstance(version, str) and version:
        return None
    return 'has no version; say version = "1"'
