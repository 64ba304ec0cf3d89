"""A tool's context shares the run's and hands out the run's help for durable work."""

import pytest

from outlast.definitions.context import RunContextWrapper, ToolContext, plain_context


def call(**more):
    return ToolContext("user", tool_name="pay", tool_call_id="c1", tool_arguments="{}", **more)


class Effect:
    key = "run-1:t1.c1"
    run_id = "run-1"

    def __init__(self):
        self.steps = {}

    async def step(self, name, fn):
        if name not in self.steps:
            self.steps[name] = fn()
        return self.steps[name]


@pytest.mark.parametrize("missing", ["tool_name", "tool_call_id", "tool_arguments"])
def test_a_tool_context_needs_to_know_its_call(missing):
    given = {"tool_name": "pay", "tool_call_id": "c1", "tool_arguments": "{}"}
    del given[missing]
    with pytest.raises(ValueError, match=missing):
        ToolContext("user", **given)


def test_contexts_are_told_apart_by_identity():
    first, second = RunContextWrapper(None), RunContextWrapper(None)
    assert first != second
    assert {first: 1, call(): 2}[first] == 1


def test_a_call_s_context_shares_the_run_s():
    run = RunContextWrapper({"user": 1})
    made = ToolContext.from_agent_context(run, "c1", tool_name="pay", tool_arguments="{}")
    assert made.context is run.context
    assert made.usage is run.usage
    assert made._approvals is run._approvals
    plain = plain_context(made)
    assert type(plain) is RunContextWrapper
    assert plain.usage is run.usage


def test_a_namespace_that_repeats_the_name_is_not_shown():
    assert call(tool_namespace="billing").qualified_tool_name == "billing.pay"
    assert call(tool_namespace="pay").qualified_tool_name == "pay"


async def test_outside_a_run_a_step_is_just_called():
    async def doubled(number):
        return number * 2

    context = call()
    assert (context.run_id, context.idempotency_key) == ("", "")
    assert await context.step("double", doubled, 4) == 8
    assert await context.step("triple", lambda number: number * 3, 4) == 12


async def test_inside_a_run_a_step_is_made_once():
    context, calls = call(_effect=Effect()), []
    for _ in range(2):
        await context.step("charge", calls.append, "paid")
    assert calls == ["paid"]
    assert (context.run_id, context.idempotency_key) == ("run-1", "run-1:t1.c1")
