"""Modules under openai-agents' names that stand for ours: `agents.…`, and `outlast.…` beside it.

An alias owns no public name. Reading an attribute reads our module, and writing one (a test
that patches `agents.run.X`) writes our module, so there is one truth under two names.

`outlast.model_settings` and its like are always there: `outlast/__init__.py` asks `late_spec` for
what Python has not found in the folder. `agents` and `openai_agents` are there after `install()`.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import sys
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import TYPE_CHECKING, Any

from outlast.compat.table import ABSENT, ALIASES, BORROWED_NAMES
from outlast.version import __version__

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = "agents"
OURS = "outlast"
ROOTS = (ROOT, "openai_agents")
"""Names of the package that `install()` answers for: what programs import, and what some guides do."""


def install() -> None:
    """Make `import agents` and `import agents.x.y` resolve to Outlast. Harmless when repeated.

    Raises:
        RuntimeError: Another `agents` has been imported already. Call this earlier.
    """
    for root in ROOTS:
        present = sys.modules.get(root)
        if present is not None and not isinstance(present, Alias):
            raise RuntimeError(
                f"`{root}` is already imported from {getattr(present, '__file__', None)!r}. Call "
                f"`outlast.compat.install()` before the first import of `{root}`."
            )
    if _FINDER not in sys.meta_path:
        sys.meta_path.insert(0, _FINDER)


def install_unless_taken() -> None:
    """`install`, unless `agents` is a module of the user's own, as in many a project."""
    if _FINDER in sys.meta_path:
        return
    present = sys.modules.get(ROOT)
    spec = None if present else importlib.util.find_spec(ROOT)
    if present is None and (spec is None or _is_upstreams(spec)):
        install()


def _is_upstreams(spec: ModuleSpec) -> bool:
    try:
        home = importlib.metadata.distribution("openai-agents").locate_file("agents/__init__.py")
    except importlib.metadata.PackageNotFoundError:
        return False
    return spec.origin is not None and str(home) == spec.origin


def uninstall() -> None:
    """Take `install()` back; modules and objects that were imported already stay usable."""
    if _FINDER in sys.meta_path:
        sys.meta_path.remove(_FINDER)
    if guides := sys.modules.get("outlast.compat.guides"):
        guides.undo()
    for name, module in list(sys.modules.items()):
        if isinstance(module, Alias) and name.partition(".")[0] != OURS:
            del sys.modules[name]


def targets(name: str) -> tuple[str, ...] | None:
    """Names of our modules that answer for the module ``name``; None if it stands for none.

    `outlast.tool`, `agents.tool` and `openai_agents.tool` have one answer.
    """
    if name in BORROWED_NAMES:
        return BORROWED_NAMES[name]
    root, dot, rest = name.partition(".")
    return ALIASES.get(f"{ROOT}{dot}{rest}") if root in (*ROOTS, OURS) else None


def late_spec(name: str) -> ModuleSpec | None:
    """How to load ``name``, a module of `outlast` that no file is there for; None if there is none.

    Raises:
        ModuleNotFoundError: openai-agents has such a module, and this version does not.
    """
    if targets(name) is None:
        _refuse_absent(name)
        return None
    return _spec(name)


class Alias(ModuleType):
    """A module object that reads and writes through to the modules it stands for."""

    def __getattr__(self, name: str) -> Any:
        """Find `name` as a public name, then as an aliased submodule, then in our modules."""
        if _is_dunder(name) and name not in _SHARED_DUNDERS:
            # A `__path__` of ours would let Python import our files again as `agents.…`.
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}", name=name)
        submodule = f"{self.__name__}.{name}"
        if targets(submodule) is not None and not self._is_public(name):
            return importlib.import_module(submodule)
        # One by one: the last in a row may be slow to import.
        for target in _row(self.__name__):
            try:
                return getattr(importlib.import_module(target), name)
            except AttributeError:
                continue
        # openai-agents' modules import each other's names, and programs take them from there. What
        # a patch has deleted here is gone until the patch puts it back.
        ours = importlib.import_module(OURS)
        if name in ours.__all__ and (self.__name__, name) not in _DELETED:
            return getattr(ours, name)
        if name.startswith("Response") and self.__name__ not in ROOTS and _is_openais(name):
            return getattr(importlib.import_module(_OPENAI_TYPES), name)
        if name == "__all__":  # `import *` sees only this, for the alias has no names of its own.
            return sorted(each for each in dir(self) if not each.startswith("_"))
        if not name.startswith("_"):
            _refuse_absent(submodule)  # `from … import` would swallow what an AttributeError says.
        raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}", name=name)

    def __setattr__(self, name: str, value: Any) -> None:
        """Write to every one of our modules that has `name`, or had until it was deleted here."""
        if _is_dunder(name) and name not in _SHARED_DUNDERS:
            super().__setattr__(name, value)
            return
        if isinstance(value, Alias):
            # `import agents.apply_diff` binds the submodule on its parent; the public function
            # of that name must stay visible, as it does upstream.
            if not self._is_public(name):
                super().__setattr__(name, value)
            return
        homes = _owners(self.__name__, name) or _DELETED.pop((self.__name__, name), [])
        for module in homes or _modules(self.__name__)[:1]:
            setattr(module, name, value)

    def __delattr__(self, name: str) -> None:
        """Delete from our modules, and remember from which, for a patch that is undone."""
        if name in vars(self):  # a submodule, as `__setattr__` left it
            super().__delattr__(name)
            return
        homes = _owners(self.__name__, name)
        if not homes:
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}", name=name)
        _DELETED[self.__name__, name] = homes
        for module in homes:
            delattr(module, name)

    def __dir__(self) -> list[str]:
        """Names of our modules and of aliased submodules."""
        names = {name for module in _modules(self.__name__) for name in dir(module)}
        _, dot, rest = self.__name__.partition(".")
        prefix = f"{ROOT}{dot}{rest}."
        below = {name.removeprefix(prefix) for name in ALIASES if name.startswith(prefix)}
        return sorted(names | {name for name in below if "." not in name})

    def _is_public(self, name: str) -> bool:
        """Whether the package itself has something of a submodule's name: that is what it is then."""
        if self.__name__ in ROOTS:
            return name in importlib.import_module("outlast").__all__
        homes = (vars(importlib.import_module(each)) for each in _row(self.__name__)[:1])
        return any(name in home and not isinstance(home[name], ModuleType) for home in homes)


class _Finder:
    """Meta-path finder and loader of aliases; everything else is left to the other finders."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        del path, target
        if name in BORROWED_NAMES:
            return None if _is_anothers(name) else _spec(name)
        return late_spec(name) if name.partition(".")[0] in ROOTS else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return Alias(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        # The first target is imported at once: what it cannot import is an error here.
        for name in _row(module.__name__)[:1]:
            importlib.import_module(name)
        if module.__name__.partition(".")[0] != OURS:
            importlib.import_module("outlast.compat.guides").apply()


def _spec(name: str) -> ModuleSpec:
    # Every alias is a package, so that a missing submodule is a plain "No module named".
    spec = ModuleSpec(name, _FINDER, origin=__file__, is_package=True)  # pyright: ignore[reportArgumentType] # a loader by duck type
    spec.has_location = True
    spec.submodule_search_locations = []
    return spec


def _is_anothers(name: str) -> bool:
    """Whether ``name`` is a package that is installed. What is below it is ours all the same."""
    return "." not in name and PathFinder.find_spec(name) is not None


def _refuse_absent(name: str) -> None:
    root, _, rest = name.partition(".")
    absent = next((each for each in ABSENT if f"{ROOT}.{rest}.".startswith(f"{each}.")), None)
    if absent is None:
        return
    there = absent.replace(ROOT, root, 1)
    raise ModuleNotFoundError(
        f"No module named {name!r}: openai-agents has it, and this version of Outlast "
        f"({__version__}) does not. Run this program with openai-agents, or without what "
        f"it imports from {there!r}.",
        name=name,
    )


_FINDER = _Finder()
_OPENAI_TYPES = "openai.types.responses"
_SHARED_DUNDERS = frozenset({"__all__", "__version__"})
_DELETED: dict[tuple[str, str], list[ModuleType]] = {}


def _row(alias: str) -> tuple[str, ...]:
    return targets(alias) or ()


def _modules(alias: str) -> list[ModuleType]:
    return [importlib.import_module(name) for name in _row(alias)]


def _owners(alias: str, name: str) -> list[ModuleType]:
    return [module for module in _modules(alias) if name in vars(module)]


def _is_openais(name: str) -> bool:
    """Whether ``name`` is a type of `openai`: programs take those from the modules that use them."""
    return hasattr(importlib.import_module(_OPENAI_TYPES), name)


def _is_dunder(name: str) -> bool:
    return name.startswith("__") and name.endswith("__")
