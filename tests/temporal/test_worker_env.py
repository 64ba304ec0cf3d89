"""Secrets of hosted tools are named in workflows, and read by workers that allow it."""

from typing import Any

import pytest

from outlast import HostedMCPTool, UserError
from outlast.models.provider import MultiProvider
from outlast.temporal.model_activity import ModelCalls, _tool_data
from outlast.temporal.worker_env import AllowAllWorkerEnvVars, resolved, temporal_worker_env_ref

REFERENCE = temporal_worker_env_ref("SHOP_KEY")


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_KEY", "s3cret")


def hosted() -> HostedMCPTool:
    config: Any = {
        "type": "mcp",
        "server_label": "shop",
        "server_url": "https://shop.example/mcp",
        "authorization": REFERENCE,
        "headers": {"x-key": f"Bearer {REFERENCE}"},
        "require_approval": "never",
    }
    return HostedMCPTool(tool_config=config)


@pytest.mark.parametrize("allowed", [["SHOP_KEY"], AllowAllWorkerEnvVars()], ids=["named", "all"])
def test_a_variable_is_read_where_the_model_is_called(allowed: Any):
    data = _tool_data(hosted())
    assert "s3cret" not in str(data)
    config = resolved(data, allowed)["tool_config"]
    assert config["authorization"] == "s3cret"
    assert config["headers"] == {"x-key": "Bearer s3cret"}


async def test_a_variable_that_is_not_allowed_fails_the_call_for_good():
    request = {"model": None, "tools": [_tool_data(hosted())]}
    whole = {
        "instructions": None, "input": "hi", "settings": {}, "schema": None, "handoffs": [],
        "tracing": 0, "more": {},
    }  # fmt: skip
    with pytest.raises(Exception, match="SHOP_KEY") as caught:
        await ModelCalls(MultiProvider(), ["OTHER"]).whole({**whole, **request})
    assert caught.value.non_retryable
    assert "s3cret" not in str(caught.value)


def test_a_variable_that_is_not_set_is_empty(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("SHOP_KEY")
    assert resolved({"a": [REFERENCE]}, ["SHOP_KEY"]) == {"a": [""]}


@pytest.mark.parametrize("name", ["", "A B", "1A", "A}}{{"])
def test_what_is_no_name_is_refused(name: str):
    with pytest.raises(UserError, match="no name of a variable"):
        temporal_worker_env_ref(name)
