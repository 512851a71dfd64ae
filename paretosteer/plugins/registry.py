"""Registry of methods, benchmarks, objectives, metrics, feedback kinds and conditionings.

Packages register them through entry points (`paretosteer.methods` and so on), single files through
a table (`paretosteer.plugins.single_files`). Names and summaries are read without importing the
package, so that `paretosteer list` is fast and a broken plug-in affects no other.
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
from paretosteer.storage import opened_files

Group = Literal["methods", "benchmarks", "objectives", "metrics", "feedback", "conditionings"]

# Groups whose plug-ins are classes that share a module, so each class describes itself.
_CLASSES = ("feedback", "conditionings")


@dataclass(frozen=True)
class Offer:
    """An object that a package or a file offers under a name, not yet loaded.

    A package has `package`, `version` and `module`; a file has `path` and `digest`.
    """

    group: Group
    name: str
    get: Callable[[], Any]
    package: str = ""  # name of the distribution
    version: str = ""  # of the distribution
    module: str = ""  # defines the object
    attribute: str = ""  # name of the object in the module
    path: Path | None = None
    digest: str = ""

    @property
    def built_in(self) -> bool:
        """True if paretosteer itself provides it."""
        return self.package == "paretosteer"

    @property
    def kind(self) -> str:
        """Singular of its group, such as `method`."""
        return singular(self.group)

    @property
    def origin(self) -> str:
        """Package with its version, or path of the file."""
        return str(self.path or f"{self.package} {self.version}")

    @property
    def code(self) -> list[Path]:
        """Plug-in file, or the folders or the module of the package that defines the object."""
        if self.path:
            return [self.path]
        spec = locate(self.module.partition(".")[0])
        folders = (spec and spec.submodule_search_locations) or ()
        single = [spec.origin] if spec and spec.origin and not folders else []
        return [Path(place) for place in (*folders, *single)]

    def load(self) -> Any:
        """Load the object; raise UsageError if it cannot be imported or fails its checks."""
        return self._loaded

    @cached_property
    def _loaded(self) -> Any:
        what = f"{self.kind} {self.name!r}"
        for code in () if self.built_in else self.code:
            opened_files.watch(str(code))
        try:
            loaded = self.get()
        except PLUGIN_ERRORS as error:
            raise UsageError(
                f"{what} ({self.module} of {self.origin}) cannot be imported: "
                f"{type(error).__name__}: {first_line(error)}; repair or uninstall the package "
                "that provides it"
            ) from error
        if wrong := checks.fault(self.group, self.name, loaded):
            raise UsageError(f"{what} of {self.origin} {wrong}")
        return loaded


def singular(group: str) -> str:
    """Singular of the name of a group, such as `method` of `methods`."""
    return group.removesuffix("s")


def names(group: Group) -> list[str]:
    """Sorted names of a group; warn about names that are offered twice."""
    by_name = _offers(group)
    for offers in by_name.values():
        if len(offers) > 1:
            note(_clash(offers))
    return sorted(name for name, offers in by_name.items() if _choice(offers))


def check_files() -> None:
    """Raise UsageError if a single file offers a name that is taken.

    Unlike a package, a file was requested explicitly, so a warning is not enough.
    """
    for group in get_args(Group):
        for offered in _offers(group).values():
            if len(offered) > 1 and any(offer.path for offer in offered):
                raise UsageError(f"--plugin: {_clash(offered)}")


def find(group: Group, name: str) -> Offer | None:
    """Offer of this name, or None.

    A built-in offer has precedence, which a warning says. Raises UsageError if several others have
    the same name.
    """
    offered = _offers(group).get(name, [])
    if len(offered) > 1:
        if not _choice(offered):
            raise UsageError(_clash(offered))
        note(_clash(offered))
    return _choice(offered) if offered else None


def is_built_in(group: Group, name: str) -> bool:
    """True if a registered name is one of this package's own."""
    return _known(group, name).built_in


def load(group: Group, name: str) -> Any:
    """Load the object registered under `name`; raise UsageError if it is unknown or broken."""
    return _known(group, name).load()


def working(group: Group, chosen: Iterable[str]) -> Iterator[tuple[str, Any]]:
    """Load the objects of these names; warn about those that cannot be loaded."""
    for name in chosen:
        try:
            yield name, load(group, name)
        except UsageError as error:
            note(str(error))


def summary(group: Group, name: str) -> str:
    """First line of the description of `name`."""
    return description(group, name).partition("\n")[0]


def description(group: Group, name: str) -> str:
    """Docstring of the module that defines `name`, without running it; of a kind, of its class."""
    offer = _known(group, name)
    if offer.path:
        of_class = group in _CLASSES and offer.load().__name__
        return docstring(offer.path, of_class=of_class)
    spec = locate(offer.module)
    if spec is None or spec.origin is None:
        return "(its module is missing)"
    return docstring(Path(spec.origin), of_class=group in _CLASSES and offer.attribute)


def docstring(source: Path, *, of_class: str | bool = False) -> str:
    """Docstring of a Python file, or of a class in it (True: the first), without running it."""
    try:
        module = ast.parse(source.read_bytes())
    except (OSError, SyntaxError, ValueError) as error:
        return f"(unreadable: {type(error).__name__})"
    classes = [
        node
        for node in module.body
        if isinstance(node, ast.ClassDef) and of_class in (True, node.name)
    ]
    return ast.get_docstring(classes[0] if classes else module) or ""


@cache
def note(reason: str) -> None:
    """Warn on standard error, once per reason, that something is left out."""
    print(f"paretosteer: left out: {line(reason)}", file=sys.stderr, flush=True)


@cache
def installed(group: str) -> list[EntryPoint]:
    """Entry points of a group in all installed packages, sorted by package."""
    return sorted(entry_points(group=f"paretosteer.{group}"), key=lambda e: (_package(e), e.name))


def locate(module: str) -> ModuleSpec | None:
    """Like `importlib.util.find_spec`, but without importing parent packages."""
    spec: ModuleSpec | None = None
    for name in accumulate(module.split("."), "{}.{}".format):
        path = spec.submodule_search_locations if spec else None
        candidates = (finder.find_spec(name, path) for finder in sys.meta_path)
        try:
            spec = next((candidate for candidate in candidates if candidate), None)
        except KeyError:  # a folder without __init__.py, in a package that is not imported
            return None
        if spec is None:
            return None
    return spec


def _offers(group: Group) -> dict[str, list[Offer]]:
    """All offers of a group, by name."""
    by_name: dict[str, list[Offer]] = {}
    for offer in (*_of_packages(group), *_of_files(group)):
        by_name.setdefault(offer.name, []).append(offer)
    return by_name


@cache
def _of_packages(group: Group) -> list[Offer]:
    return [
        Offer(
            group,
            entry.name,
            entry.load,
            package=_package(entry),
            version=entry.dist.version if entry.dist else "",
            module=entry.value.partition(":")[0].strip(),
            attribute=entry.attr,
        )
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
        return f"{kind} {name!r} of {origins}: a built-in {kind} has this name; rename it"
    return f"{kind} {name!r} is offered by {origins}, so none is used; uninstall all but one"


def _known(group: Group, name: str) -> Offer:
    if (offer := find(group, name)) is None:
        raise UsageError(f"{name!r} is not a registered {singular(group)}; {_remedy(group, name)}")
    return offer


def _remedy(group: Group, name: str) -> str:
    known = names(group)
    return closest(name, known) if known else "none is: install paretosteer again"


def closest(name: str, known: Iterable[str]) -> str:
    """Remedy for an unknown name of a plug-in: a known one, or `--plugin` where none was given."""
    remedy = did_you_mean(name, known)
    if single_files.files():
        return remedy
    link = " If" if remedy.endswith("?") else "; if"
    return f"{remedy}{link} it is in a file, pass --plugin FILE.py"


def _package(entry: EntryPoint) -> str:
    return entry.dist.name if entry.dist else ""
