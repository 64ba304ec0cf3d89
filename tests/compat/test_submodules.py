"""Every public module of openai-agents and every name in it, under its name there and under ours."""

import importlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import outlast
from outlast.compat import install, uninstall
from outlast.compat.table import ABSENT, ALIASES

sys.path.insert(0, str(Path(__file__).parents[1]))

import public_names

HERE = Path(__file__).parent
SOURCE = Path(outlast.__file__).parent


def table(name: str) -> dict[str, list[str]]:
    rows = (line.partition(": ") for line in public_names.words(HERE / name))
    return {module.rstrip(":"): names.split() for module, _, names in rows}


UPSTREAM = table("upstream_modules.txt")
LACKING = table("absent_module_names.txt")


def is_absent(module: str) -> bool:
    parts = module.split(".")
    return any(LACKING.get(".".join(parts[: n + 1])) == ["*"] for n in range(len(parts)))


@pytest.fixture(autouse=True, scope="module")
def _alias() -> Iterator[None]:
    install()
    yield
    uninstall()


@pytest.mark.parametrize("root", ["outlast", "agents", "openai_agents"])
@pytest.mark.parametrize("module", [name for name in UPSTREAM if not is_absent(name)])
def test_a_module_has_the_names_that_are_not_listed_as_absent(module: str, root: str):
    found = importlib.import_module(module.replace("agents", root, 1))
    lacking = []
    for name in UPSTREAM[module]:
        try:
            getattr(found, name)
        except (AttributeError, ImportError):
            lacking.append(name)
    assert lacking == LACKING.get(module, [])


@pytest.mark.parametrize("root", ["outlast", "agents", "openai_agents"])
@pytest.mark.parametrize("module", [name for name in UPSTREAM if is_absent(name)])
def test_a_module_that_is_not_there_yet_says_so_by_name(module: str, root: str):
    there = module.replace("agents", root, 1)
    with pytest.raises(ModuleNotFoundError, match="this version of Outlast") as caught:
        importlib.import_module(there)
    assert str(caught.value.name) in there
    assert f"'{caught.value.name}'" in str(caught.value)


@pytest.mark.parametrize("module", sorted({*ALIASES} & {*UPSTREAM}))
def test_a_name_is_one_object_under_all_names_of_its_module(module: str):
    ours = importlib.import_module(module.replace("agents", "outlast", 1))
    theirs = importlib.import_module(module)
    for name in {*UPSTREAM[module]} - {*LACKING.get(module, [])}:
        assert getattr(ours, name) is getattr(theirs, name), name


def test_a_file_of_ours_and_an_absent_module_never_share_a_name():
    for name in {*ABSENT} - {*ALIASES}:
        place = SOURCE.joinpath(*name.split(".")[1:])
        assert not place.exists()
        assert not place.with_suffix(".py").exists()


def test_a_public_name_is_not_hidden_by_a_module_of_that_name():
    code = (
        "import outlast, outlast.apply_diff\n"
        "from outlast.apply_diff import apply_diff\n"
        "assert outlast.apply_diff is apply_diff\n"
        "from outlast import apply_diff as again\n"
        "assert again is apply_diff and callable(again)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_module_of_no_name_is_plainly_missing():
    with pytest.raises(ModuleNotFoundError, match=r"^No module named 'outlast.nonsense'$"):
        importlib.import_module("outlast.nonsense")


def test_importing_a_late_module_loads_only_what_it_stands_for():
    code = (
        "import sys, outlast.model_settings\n"
        "assert not {'openai', 'rich', 'outlast.run.runner', 'sqlite3'} & {*sys.modules}\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_package_of_stubs_names_what_is_there():
    written, fresh = public_names.late_files(), public_names.late_stubs()
    again = "Run `python tests/public_names.py`."
    assert written.keys() == fresh.keys(), again
    for name, text in written.items():
        stale = {*text.splitlines()[1:]} - {*fresh[name].splitlines()}
        assert not stale, again


def test_the_stubs_have_the_names_of_openai_agents():
    written, fresh = public_names.late_files(), public_names.late_stubs()
    wanted = {name for names in UPSTREAM.values() for name in names}
    for name, text in fresh.items():
        new = {*text.splitlines()} - {*written[name].splitlines()}
        assert not {line.rpartition(" ")[2] for line in new} & wanted, "Run tests/public_names.py."


PROGRAM = """
from typing import assert_type

import agents
from agents import Agent, AsyncOpenAI, Runner, RunResult, function_tool
from agents.extensions.handoff_filters import remove_all_tools
from agents.extensions.models.litellm_model import LitellmModel
from agents.run import RunConfig
from agents.tracing.processor_interface import TracingProcessor
from outlast.decorators import tool
from outlast.model_settings import ModelSettings
from outlast.run import Runner as SameRunner


@function_tool
def add(a: int, b: int) -> int:
    return a + b


@tool
def double(a: int) -> int:
    return 2 * a


async def main(processor: TracingProcessor, client: AsyncOpenAI) -> None:
    agents.add_trace_processor(processor)
    agents.set_default_openai_client(client)
    agent = Agent[None](name="A", tools=[add, double], model=LitellmModel("x"))
    agent.handoffs.append(agents.handoff(agent, input_filter=remove_all_tools))
    assert_type(await Runner.run(agent, "Hello"), RunResult)
    assert_type(await SameRunner.run(agent, "Hello", run_config=RunConfig()), RunResult)
    assert_type(ModelSettings().temperature, float | None)
    Runner.nonsense  # wrong
    agents.nonsense  # wrong
"""


@pytest.mark.slow
def test_a_type_checker_knows_agents_and_the_late_modules(tmp_path: Path):
    run = [sys.executable, "-m"]
    (tmp_path / "program.py").write_text(PROGRAM)
    config = {"typeCheckingMode": "standard", "extraPaths": [str(SOURCE.parent)]}
    (tmp_path / "pyrightconfig.json").write_text(json.dumps(config))
    subprocess.run([*run, "outlast", "stubs"], cwd=tmp_path, check=True, capture_output=True)
    done = subprocess.run(
        [*run, "pyright", "--outputjson", "--pythonpath", sys.executable, "-p", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    wrong = [n for n, line in enumerate(PROGRAM.splitlines()) if line.endswith("# wrong")]
    seen = json.loads(done.stdout)["generalDiagnostics"]
    errors = [each for each in seen if each["severity"] == "error"]
    assert [each["range"]["start"]["line"] for each in errors] == wrong, errors
