"""Methods, benchmarks, objectives, metrics and kinds of feedback by name, from packages and files.

A package offers them by entry point (`paretosteer.methods` and so on), a file in a table
(`paretosteer.plugins.single_files`). Names and summaries of a package are read without importing
it: `paretosteer list` stays fast, and a plug-in that does not import affects nobody else.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property, partial
from importlib.machinery import ModuleSpec
from importlib.metadata import EntryPoint, entry_points
from itertools import accumulate
from pathlib import Path
from typing import Any, Literal, get_args

from paretosteer.errors import PLUGIN_ERRORS, UsageError, did_you_mean, first_line
from paretosteer.plugins import checks, single_files
from paretosteer.runtime.terminal import line

Group = Literal["methods", "benchmarks", "objectives", "metrics", "feedback"]


@dataclass(frozen=True)
class Offer:
    """What a package or a file offers under a name, not yet loaded.

    `package` and `version` are those of the distribution, `module` is where it defines the thing;
    of a file there are only its `path` and `digest`.
    """

    group: Group
    name: str
    get: Callable[[], Any]
    package: str = ""
    version: str = ""
    module: str = ""
    path: Path | None = None
    digest: str = ""

    @property
    def built_in(self) -> bool:
        """Whether it is this package's own."""
        return self.package == "paretosteer"

    @property
    def kind(self) -> str:
        """What one of its group is called, such as `method`."""
        return singular(self.group)

    @property
    def origin(self) -> str:
        """Who offers it: a package with its version, or the path of a file."""
        return str(self.path or f"{self.package} {self.version}")

    def load(self) -> Any:
        """The thing itself; UsageError where it cannot be had, or is not what it should be."""
        return self._loaded

    @cached_property
    def _loaded(self) -> Any:
        what, remedy = f"{self.kind} {self.name!r}", "repair or uninstall what provides it"
        try:
            found = self.get()
        except PLUGIN_ERRORS as error:
            raise UsageError(
                f"{what} ({self.module} of {self.origin}) cannot be imported: "
                f"{type(error).__name__}: {first_line(error)}; {remedy}"
            ) from error
        if wrong := checks.fault(self.group, self.name, found):
            raise UsageError(f"{what} of {self.origin} {wrong}")
        return found


def singular(group: str) -> str:
    """Name of one thing of a group, such as `method` of `methods`."""
    return group.removesuffix("s")


def names(group: Group) -> list[str]:
    """Every name that can be asked for, sorted; what is offered twice is said."""
    offered = _offers(group)
    for each in offered.values():
        if len(each) > 1:
            note(_clash(each))
    return sorted(name for name, each in offered.items() if _choice(each))


def check_files() -> None:
    """UsageError where a single file offers what somebody else does: it was asked for by hand."""
    for group in get_args(Group):
        for offered in _offers(group).values():
            if len(offered) > 1 and any(offer.path for offer in offered):
                raise UsageError(f"--plugin: {_clash(offered)}")


def find(group: Group, name: str) -> Offer | None:
    """What is offered under `name`, if anything; UsageError where nobody can say which of several.

    Ours comes before anyone's; of two others neither is used.
    """
    offered = _offers(group).get(name)
    if offered and not _choice(offered):
        raise UsageError(_clash(offered))
    return _choice(offered) if offered else None


def load(group: Group, name: str) -> Any:
    """What is registered under `name`; UsageError for an unknown or broken plug-in."""
    return _known(group, name).load()


def working(group: Group, chosen: Iterable[str]) -> Iterator[tuple[str, Any]]:
    """Those of the names that can be loaded, with what they are; the others are said."""
    for name in chosen:
        try:
            yield name, load(group, name)
        except UsageError as error:
            note(str(error))


def summary(group: Group, name: str) -> str:
    """First line of the docstring of the module that defines `name`, without running it."""
    offer = _known(group, name)
    if offer.path:
        return docstring(offer.path).partition("\n")[0]
    spec = locate(offer.module)
    if spec is None or spec.origin is None:
        return "(its module is missing)"
    return docstring(Path(spec.origin)).partition("\n")[0]


def docstring(source: Path, *, of_class: bool = False) -> str:
    """Docstring of a Python file, or of its first class, without running it."""
    try:
        module = ast.parse(source.read_bytes())
    except (OSError, SyntaxError, ValueError) as error:
        return f"(unreadable: {type(error).__name__})"
    classes = [node for node in module.body if isinstance(node, ast.ClassDef)]
    return ast.get_docstring(classes[0] if of_class and classes else module) or ""


@cache
def note(reason: str) -> None:
    """Say what is left out and why, once."""
    print(f"paretosteer: left out: {line(reason)}", file=sys.stderr, flush=True)


@cache
def installed(group: str) -> list[EntryPoint]:
    """Entry points of every installed package, in the order of the packages' names."""
    return sorted(entry_points(group=f"paretosteer.{group}"), key=lambda e: (_package(e), e.name))


def locate(module: str) -> ModuleSpec | None:
    """What `importlib.util.find_spec` finds, but parent packages are not imported either."""
    spec: ModuleSpec | None = None
    for name in accumulate(module.split("."), "{}.{}".format):
        path = spec.submodule_search_locations if spec else None
        found = (finder.find_spec(name, path) for finder in sys.meta_path)
        try:
            spec = next((candidate for candidate in found if candidate), None)
        except KeyError:  # a folder without __init__.py, in a package that is not imported
            return None
        if spec is None:
            return None
    return spec


def _offers(group: Group) -> dict[str, list[Offer]]:
    """Everything that is offered, by name."""
    found: dict[str, list[Offer]] = {}
    for offer in (*_of_packages(group), *_of_files(group)):
        found.setdefault(offer.name, []).append(offer)
    return found


@cache
def _of_packages(group: Group) -> list[Offer]:
    return [
        Offer(group, entry.name, entry.load, _package(entry), _version(entry), _module(entry))
        for entry in installed(group)
    ]


def _of_files(group: Group) -> Iterator[Offer]:
    for file in single_files.files():
        named = file.offers.get(group, {})
        for name in named:
            yield Offer(
                group, name, partial(named.__getitem__, name), path=file.path, digest=file.digest
            )


def _choice(offered: Sequence[Offer]) -> Offer | None:
    own = [offer for offer in offered if offer.built_in]
    return (own or offered)[0] if own or len(offered) == 1 else None


def _clash(offered: Sequence[Offer]) -> str:
    origins = " and ".join(offer.origin for offer in offered if not offer.built_in)
    kind, name = offered[0].kind, offered[0].name
    if _choice(offered):
        return f"{kind} {name!r} of {origins}: a built-in one has that name; rename it"
    return f"{kind} {name!r} is offered by {origins}, and none of them is used; keep one"


def _known(group: Group, name: str) -> Offer:
    if (offer := find(group, name)) is None:
        raise UsageError(f"{name!r} is not a registered {singular(group)}; {_remedy(group, name)}")
    return offer


def _remedy(group: Group, name: str) -> str:
    known = names(group)
    return did_you_mean(name, known) if known else "none is: install paretosteer again"


def _package(entry: EntryPoint) -> str:
    return entry.dist.name if entry.dist else ""


def _version(entry: EntryPoint) -> str:
    return entry.dist.version if entry.dist else ""


def _module(entry: EntryPoint) -> str:
    return entry.value.partition(":")[0].strip()
