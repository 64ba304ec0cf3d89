"""`FILE[:AGENT]`: a Python file as a program, and the agent that it defines or that a function returns.

A file is loaded where no event loop runs, so that it may run agents by itself, as a script does
that ends in `Runner.run_sync(...)` or `asyncio.run(...)`.
"""

from __future__ import annotations

import ast
import asyncio
import importlib.util
import inspect
import runpy
import sys
from collections.abc import Awaitable, Callable, Generator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, TypeGuard, cast

from outlast.cli.problem import LoadError, Missing, near
from outlast.cli.screen import beside
from outlast.compat import install_unless_taken
from outlast.definitions.agent import Agent
from outlast.definitions.handoff import Handoff, handoff_target


@dataclass(frozen=True, slots=True)
class Program:
    """An agent and where it came from."""

    agent: Agent
    place: str
    """`/absolute/file.py:variable`: what `load_program` finds the agent by again."""


def line_of(program: Program) -> str:
    """`file.py:12`: where a program makes its agent, as well as the file says it."""
    file, _, variable = program.place.rpartition(":")
    for node in ast.parse(Path(file).read_bytes()).body:
        targets = node.targets if isinstance(node, ast.Assign) else ()
        names = {each.id for target in targets for each in ast.walk(target) if _is_name(each)}
        if variable in names:
            return f"{near(file)}:{node.lineno}"
    return near(file)


def _is_name(node: ast.AST) -> TypeGuard[ast.Name]:
    return isinstance(node, ast.Name)


class ProgramError(Missing):
    """A program cannot be used as it was named. The message says how to go on."""

    def __init__(self, what: str, *fix: str) -> None:
        super().__init__("Not found", what, *fix)

    def __str__(self) -> str:
        return " ".join((self.problem.what, *self.problem.fix))


def load_program(place: str, *, run_id: str = "") -> Program:
    """The agent at ``FILE[:AGENT]``. Runs the file, as `python FILE` would, but not as `__main__`.

    What is named may be a function too, without arguments, that returns the agent. Wants no running loop.

    Args:
        place: The file, and the agent in it.
        run_id: The run that it is loaded for: an error says that nothing was done with that.

    Raises:
        LoadError: The file raised something.
        ProgramError: There is no such file, or no such agent in it.
    """
    path, name = find_file(place)
    module = load_module(path, run_id=run_id)
    factory = vars(module).get(name)
    if callable(factory):
        with _loading(path, run_id):
            return Program(_returned_by(factory, f"{path.name}:{name}"), f"{path}:{name}")
    found = agents_of(module)
    if not found:
        raise no_agent(path)
    variable = _choose(found, name, path.name)
    return Program(found[variable], f"{path}:{variable}")


def no_agent(path: Path) -> ProgramError:
    """The error about a file without an agent that can be named."""
    return ProgramError(
        f"{path.name} has no Agent at its top level. Assign one to a variable, or name a function "
        f"that returns one: {path.name}:FUNCTION."
    )


def _returned_by(factory: Callable[..., Any], place: str) -> Agent:
    wanted = inspect.signature(factory).parameters.values()
    names = [each.name for each in wanted if _is_required(each)]
    if names:
        raise ProgramError(
            f"{place} takes arguments ({', '.join(names)}). Name a function without any that "
            "returns an Agent."
        )
    value = factory()
    agent = asyncio.run(_awaited(value)) if inspect.isawaitable(value) else value
    if not isinstance(agent, Agent):
        raise ProgramError(
            f"{place} returned {type(agent).__name__}. Name a function that returns an Agent."
        )
    return cast("Agent", agent)


def _is_required(parameter: inspect.Parameter) -> bool:
    is_rest = parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    return parameter.default is parameter.empty and not is_rest


async def _awaited(value: Awaitable[Any]) -> Any:
    return await value


def place_of(agent: object, path: Path, module: ModuleType | None) -> str:
    """What a log says of an agent that a file runs by itself: `FILE:VARIABLE`, or `FILE` alone.

    Alone if there is no variable by which `load_program` would find it: it was made inside a
    function, or under `if __name__ == "__main__"`.
    """
    try:
        parts = _main_parts(path)
    except (OSError, SyntaxError):  # The program has changed its own file.
        return str(path)
    made_late = {node.id for part in parts for node in ast.walk(part) if _is_stored(node)}
    names = [name for name, value in vars(module).items() if value is agent] if module else []
    found = [name for name in names if name not in made_late]
    return f"{path}:{found[0]}" if found else str(path)


def _is_stored(node: ast.AST) -> TypeGuard[ast.Name]:
    return isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)


def find_file(place: str) -> tuple[Path, str]:
    """The file of ``FILE[:AGENT]``, and the agent's name if there is one.

    Raises:
        ProgramError: There is no such file.
    """
    file, _, name = place.rpartition(":") if not Path(place).is_file() else (place, "", "")
    path = Path(file or place).expanduser().resolve()
    if path.is_dir():
        raise ProgramError(f"{str(path)!r} is a folder. Name a Python file in it.")
    if not path.is_file():
        raise ProgramError(
            f"There is no file {str(path)!r}. Name a Python file that makes an Agent."
        )
    return path, name if file else ""


def agents_of(module: ModuleType) -> dict[str, Agent]:
    """The agents at the top level of a module, by their variables."""
    return {name: value for name, value in vars(module).items() if isinstance(value, Agent)}


def load_module(
    path: Path,
    *,
    words: Sequence[str] = (),
    is_main: bool = False,
    typed: str = "",
    run_id: str = "",
) -> ModuleType:
    """Run a file as Python would, and return its module. A file that has not changed runs once.

    Unless it is run for its own sake, what it prints is not what the command prints: it goes to
    standard error.

    Args:
        path: The file.
        words: What the file finds in `sys.argv` behind its own name.
        typed: What the file finds as its own name there; its whole path if empty.
        is_main: Whether it is run as `python FILE` runs it, `if __name__ == "__main__"` included.
        run_id: The run that it is loaded for, if it is.

    Raises:
        LoadError: The file raised something, and is not the main program.
        ProgramError: It is not a Python file.
    """
    name = "__main__" if is_main else f"outlast_program_{path.stem}"
    stamp = (str(path), path.stat().st_mtime_ns, path.stat().st_size)
    loaded = sys.modules.get(name)
    if loaded is not None and getattr(loaded, "__outlast_source__", None) == stamp:
        return loaded
    spec = importlib.util.spec_from_file_location(name, path)
    if not spec or not spec.loader:
        raise ProgramError(f"{path.name} is not a Python file. Name one that ends in .py.")
    if str(path.parent) not in sys.path:
        sys.path.insert(0, str(path.parent))  # So that the file's own imports work.
    install_unless_taken()
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # Dataclasses and type hints look their module up.
    sys.argv = [typed or str(path), *words]
    with nullcontext() if is_main else _loading(path, run_id):
        spec.loader.exec_module(module)
    setattr(module, "__outlast_source__", stamp)  # noqa: B010  # no module declares it
    return module


@contextmanager
def _loading(path: Path, run_id: str) -> Generator[None]:
    """Around what a file does while it is searched for an agent: neither output nor exit is ours."""
    try:
        with beside(f"(output of loading {path.name})"):
            yield
    except Missing:
        raise
    except (Exception, SystemExit) as error:
        is_begun = not isinstance(error, SyntaxError | ImportError)
        is_script = is_begun and not has_main_part(path) and bool(run_id or runs_itself(path))
        raise LoadError(path.name, run_id, is_script=is_script) from error


def run_main_part(path: Path, module: ModuleType) -> bool:
    """Run what a loaded file has under `if __name__ == "__main__"`; returns whether it has that."""
    tree = ast.parse(path.read_bytes(), str(path))
    parts = _main_parts(path)
    if not parts:
        return False
    tree.body = list(parts)
    sys.modules["__main__"] = module
    module.__name__ = "__main__"
    exec(compile(tree, str(path), "exec"), vars(module))  # noqa: S102  # the file that the user named
    return True


def has_main_part(path: Path) -> bool:
    """Whether a file has something under `if __name__ == "__main__"`."""
    return bool(_main_parts(path))


def _main_parts(path: Path) -> list[ast.If]:
    tree = ast.parse(path.read_bytes(), str(path))
    return [node for node in tree.body if isinstance(node, ast.If) and _asks_for_main(node.test)]


def runs_itself(path: Path) -> bool:
    """Whether a file does something when it is run as a script: a main part, or a call of a runner."""
    tree = ast.parse(path.read_bytes(), str(path))
    if has_main_part(path):
        return True
    defined = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    done = (each for node in tree.body if not isinstance(node, defined) for each in ast.walk(node))
    calls = (node.func for node in done if isinstance(node, ast.Call))
    return any(ast.unparse(func).partition(".")[0] in ("Runner", "asyncio") for func in calls)


def reads_words(path: Path) -> bool:
    """Whether a file looks at its command line: what stands behind its name is for it then."""
    for node in ast.walk(ast.parse(path.read_bytes(), str(path))):
        match node:
            case ast.Import(names=names) if any(each.name in _PARSERS for each in names):
                return True
            case ast.ImportFrom(module=str(module)) if module.partition(".")[0] in _PARSERS:
                return True
            case ast.Attribute(value=ast.Name("sys"), attr="argv"):
                return True
            case _:
                pass
    return False


_PARSERS = frozenset({"argparse", "click", "typer", "fire", "docopt", "optparse", "getopt"})


def with_dashes(words: list[str]) -> list[str]:
    """Words of `outlast`, with `--` before those that belong to the program that `run` names.

    Options would be taken for ours otherwise. A file gets them if it looks at its command line, a
    module always.
    """
    place = 2 if words[:2] in (["run", "-m"], ["run", "--module"]) else 1
    if words[:1] != ["run"] or len(words) <= place or "--" in words:
        return words
    if place == 1 and not _takes_words(words[1]):
        return words
    return [*words[: place + 1], "--", *words[place + 1 :]]


def _takes_words(place: str) -> bool:
    path = Path(place)
    try:
        return path.suffix == ".py" and path.is_file() and reads_words(path)
    except (SyntaxError, ValueError, OSError):  # Whoever runs it says so.
        return False


def run_module(name: str, words: Sequence[str]) -> None:
    """Run a module or a package as `python -m` does, with `import agents` meaning Outlast.

    Raises:
        ProgramError: There is no such module.
    """
    sys.path.insert(0, str(Path.cwd()))
    install_unless_taken()
    sys.argv = [name, *words]
    try:
        runpy.run_module(name, run_name="__main__", alter_sys=True)
    except ImportError as error:
        if error.name is not None and not name.startswith(error.name):
            raise
        raise ProgramError(f"{error}. Name a module or a package that can be run.") from error


def _asks_for_main(test: ast.expr) -> bool:
    return "__name__" in ast.unparse(test) and "__main__" in ast.unparse(test)


def _choose(found: dict[str, Agent], name: str, file: str) -> str:
    if name:
        by_name = {agent.name: variable for variable, agent in found.items()}
        variable = name if name in found else by_name.get(name)
        if variable is None:
            raise ProgramError(f"{file} has no Agent {name!r}; it has {', '.join(found)}.")
        return variable
    if len(found) == 1:
        return next(iter(found))
    if "agent" in found:
        return "agent"
    handoffs = [each for agent in found.values() for each in agent.handoffs]
    targets = {id(handoff_target(x) if isinstance(x, Handoff) else x) for x in handoffs}
    first = [variable for variable, agent in found.items() if id(agent) not in targets]
    if len(first) == 1:
        return first[0]
    raise ProgramError(f"{file} has several agents. Say which: {file}:{' or '.join(found)}.")
