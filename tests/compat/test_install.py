"""`import agents` means Outlast after `install()`, in every spelling that programs use."""

import importlib
import sys
from collections.abc import Iterator
from types import ModuleType
from unittest import mock

import openai
import pytest

import outlast
from outlast.compat import install, reset_defaults, uninstall
from outlast.compat.aliases import Alias
from outlast.compat.table import ALIASES
from outlast.models.defaults import get_default_openai_key, get_use_responses_by_default
from outlast.run.runner import AgentRunner, get_default_agent_runner, set_default_agent_runner


@pytest.fixture(autouse=True)
def agents() -> Iterator[ModuleType]:
    install()
    yield importlib.import_module("agents")
    uninstall()


def test_objects_are_the_same_under_both_names(agents: ModuleType):
    assert agents.Agent is outlast.Agent
    assert importlib.import_module("agents.exceptions").UserError is outlast.UserError


@pytest.mark.parametrize("name", sorted(ALIASES))
def test_an_aliased_module_can_be_imported_or_is_plainly_missing(name: str):
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        assert error.name == name  # noqa: PT017 (missing is fine, missing something else is not)
        return
    assert isinstance(module, Alias)
    assert "outlast" in (module.__file__ or "")
    assert dir(module)


def test_submodules_are_attributes_without_an_import(agents: ModuleType):
    assert agents.tool.function_tool is outlast.function_tool
    assert agents.tracing.create.trace is outlast.trace


def test_names_of_a_module_that_the_package_does_not_export_are_there(agents: ModuleType):
    tool = outlast.FunctionTool("t", "", {}, outlast.function_tool(len).on_invoke_tool)
    changed = agents.tool.set_function_tool_failure_error_function(tool, None)
    assert changed is tool
    assert agents.tool.resolve_function_tool_failure_error_function(tool) is None
    assert agents.tool.get_function_tool_origin(tool) is tool.origin
    assert agents.tool.ComputerConfig is not None


def test_a_name_that_programs_take_from_there_is_the_one_of_its_own_package(agents: ModuleType):
    assert agents.AsyncOpenAI is openai.AsyncOpenAI is outlast.AsyncOpenAI


@pytest.mark.parametrize(
    "name",
    ["voice", "realtime", "realtime.config", "sandbox.entries"],
)
def test_a_module_that_is_not_there_says_that_this_version_does_not_have_it(name: str):
    with pytest.raises(ModuleNotFoundError, match="this version of Outlast") as caught:
        importlib.import_module(f"agents.{name}")
    assert caught.value.name is not None
    assert f"agents.{name}".startswith(caught.value.name)


def test_a_function_wins_over_a_submodule_of_its_name(agents: ModuleType):
    importlib.import_module("agents.apply_diff")
    assert agents.apply_diff is outlast.apply_diff


def test_our_own_folders_are_not_reachable_as_agents():
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("agents.core")


def test_patching_an_alias_reaches_our_module_and_is_undone():
    ours = importlib.import_module("outlast.core.usage")
    before = ours.Usage
    importlib.import_module("agents.usage")
    with mock.patch("agents.usage.Usage", "patched"):
        assert ours.Usage == "patched"
    assert vars(ours)["Usage"] is before


def test_a_star_import_brings_the_public_names():
    namespace: dict[str, object] = {}
    exec("from agents import *", namespace)
    assert set(outlast.__all__) <= {*namespace, "__version__"}


def test_uninstall_forgets_the_aliases():
    uninstall()
    aliases = [name for name, module in sys.modules.items() if isinstance(module, Alias)]
    assert [name for name in aliases if not name.startswith("outlast.")] == []  # Ours stay ours.
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("agents")


def test_install_refuses_to_shadow_a_package_in_use(monkeypatch: pytest.MonkeyPatch):
    uninstall()
    monkeypatch.setitem(sys.modules, "agents", ModuleType("agents"))
    with pytest.raises(RuntimeError, match="already imported"):
        install()


def test_defaults_can_be_reset():
    class Another(AgentRunner):
        """Something to be reset."""

    set_default_agent_runner(Another())
    outlast.set_default_openai_key("sk-test", use_for_tracing=False)
    outlast.set_default_openai_api("chat_completions")
    reset_defaults()
    assert type(get_default_agent_runner()) is AgentRunner
    assert get_default_openai_key() is None
    assert get_use_responses_by_default()


def test_a_star_import_takes_the_public_names_of_a_module():
    found: dict[str, object] = {}
    exec("from agents.run import *", found)
    assert found["Runner"] is outlast.Runner
    assert found["RunConfig"] is outlast.RunConfig
    assert not [name for name in found if name.startswith("_") and name != "__builtins__"]
    assert "ToolNameCollisionPolicy" in importlib.import_module("agents.run").__all__
