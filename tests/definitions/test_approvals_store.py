"""A decision covers one call, or one capability when it is sticky, and nothing else."""

import gc
import weakref

import pytest
from pydantic import TypeAdapter

from outlast.core.errors import ModelBehaviorError, UserError
from outlast.definitions.approvals import Approvals
from outlast.definitions.context import RunContextWrapper
from outlast.definitions.run_items import ToolApprovalItem


class Owner:
    def __init__(self, name):
        self.name = name


ADA, BOB = Owner("Ada"), Owner("Bob")


def waiting(call_id="c1", name="pay", arguments="{}", agent=ADA, **more):
    raw = {"type": "function_call", "name": name, "call_id": call_id, "arguments": arguments}
    return ToolApprovalItem(agent=agent, raw_item={**raw, **more})


def mcp(request_id="r1", server="books", name="search", agent=ADA):
    raw = {"type": "mcp_approval_request", "id": request_id, "arguments": "{}"}
    return ToolApprovalItem(agent=agent, raw_item={**raw, "server_label": server, "name": name})


@pytest.fixture
def context():
    return RunContextWrapper(None)


def status(context, item):
    return context.get_approval_status(item.name, item.call_id, existing_pending=item)


def test_nobody_has_decided_at_first(context):
    assert status(context, waiting()) is None


def test_an_approval_covers_its_call_only(context):
    context.approve_tool(waiting("c1"))
    assert status(context, waiting("c1")) is True
    assert status(context, waiting("c2")) is None


def test_a_call_that_reuses_an_id_for_something_else_is_refused(context):
    context.approve_tool(waiting("c1", arguments='{"amount": 1}'))
    with pytest.raises(ModelBehaviorError, match="reused a tool call ID"):
        status(context, waiting("c1", arguments='{"amount": 1000}'))


def test_white_space_in_arguments_makes_no_other_call(context):
    context.approve_tool(waiting("c1", arguments='{"a": 1}'))
    assert status(context, waiting("c1", arguments='{"a":1}')) is True


def test_a_sticky_approval_covers_the_tool_of_the_same_agent(context):
    context.approve_tool(waiting("c1"), always_approve=True)
    assert status(context, waiting("c2")) is True
    assert status(context, waiting("c2", agent=BOB)) is None
    assert status(context, waiting("c2", namespace="billing")) is None


def test_a_decision_about_one_call_wins_over_the_sticky_one(context):
    context.approve_tool(waiting("c1"), always_approve=True)
    context.reject_tool(waiting("c2"), rejection_message="not this one")
    assert context.is_tool_approved("pay", "c2") is False
    assert context.get_rejection_message("pay", "c2") == "not this one"
    assert context.is_tool_approved("pay", "c3") is True


def test_a_sticky_rejection_keeps_its_message(context):
    context.reject_tool(waiting("c1"), always_reject=True, rejection_message="never")
    assert context.get_rejection_message("pay", "c9") == "never"


def test_a_name_that_two_agents_decided_differently_about_is_undecided(context):
    context.approve_tool(waiting("c1"), always_approve=True)
    context.reject_tool(waiting("c1", agent=BOB), always_reject=True)
    assert context.is_tool_approved("pay", "c9") is None
    assert context.is_tool_approved("pay", "c1") is None


def test_a_sticky_decision_about_an_mcp_tool_is_bound_to_its_server(context):
    context.approve_tool(mcp("r1"), always_approve=True)
    assert status(context, mcp("r2")) is True
    assert status(context, mcp("r2", server="bank")) is None
    assert context.is_tool_approved("search", "r2") is None


def test_a_namespaced_tool_is_found_by_its_qualified_name(context):
    context.approve_tool(waiting("c1", namespace="billing"), always_approve=True)
    assert context.is_tool_approved("billing.pay", "c2") is True
    assert context.is_tool_approved("pay", "c2") is None
    context.reject_tool(waiting("c3", namespace="billing"), rejection_message="no")
    key = ("namespaced", "billing", "pay")
    assert context.get_rejection_message("pay", "c3", tool_lookup_key=key) == "no"
    assert context.get_approval_status("pay", "c3", tool_namespace="billing") is False


def test_a_sticky_decision_needs_to_know_whose_tool_it_is(context):
    context.approve_tool(waiting("c1"), always_approve=True)
    assert context.get_approval_status("pay", "c2") is None
    assert context.is_tool_approved("pay", "c2") is True


def test_a_name_that_two_agents_share_is_undecided_even_if_only_one_was_decided(context):
    context.approve_tool(waiting("c1"))
    context.approve_tool(waiting("c2", agent=BOB), always_approve=True)
    assert context.is_tool_approved("pay", "c1") is True
    assert context.is_tool_approved("pay", "c9") is None


@pytest.mark.parametrize(
    ("item", "always", "text"),
    [
        (mcp(request_id=""), False, "non-empty request id"),
        (mcp(server=""), True, "non-empty server_label"),
        (waiting(call_id=""), False, "non-empty call ID"),
    ],
)
def test_an_item_that_names_no_call_cannot_be_decided_about(context, item, always, text):
    with pytest.raises((UserError, ModelBehaviorError), match=text):
        context.approve_tool(item, always_approve=always)
    assert context._approvals.decisions == []


def test_decisions_stay_in_their_order(context):
    context.approve_tool(waiting("c1"))
    context.reject_tool(waiting("c2"))
    made = [(each.call_id, each.approved) for each in context._approvals.decisions]
    assert made == [("c1", True), ("c2", False)]


def test_a_shell_call_is_told_apart_by_its_commands(context):
    def shell(command):
        raw = {"type": "shell_call", "call_id": "s1", "action": {"commands": [command]}}
        return ToolApprovalItem(agent=ADA, raw_item=raw, tool_name="shell")

    context.approve_tool(shell("ls"))
    assert status(context, shell("ls")) is True
    with pytest.raises(ModelBehaviorError):
        status(context, shell("rm -rf /"))


def test_decisions_keep_no_agent_alive(context):
    agent = Owner("Eve")
    ref = weakref.ref(agent)
    context.approve_tool(waiting("c1", agent=agent))
    del agent
    gc.collect()
    assert ref() is None
    assert len(context._approvals) == 1


def test_decisions_travel_without_agents(context):
    context.approve_tool(waiting("c1"), always_approve=True)
    adapter = TypeAdapter(RunContextWrapper[None])
    again = adapter.validate_json(adapter.dump_json(context))
    assert status(again, waiting("c2")) is True
    assert status(again, waiting("c2", agent=BOB)) is None
    assert adapter.validate_python(adapter.dump_python(context)).usage == context.usage
    assert adapter.validate_python(context) is context


def test_decisions_of_another_process_find_their_agents_by_name(context):
    context.approve_tool(waiting("c1"), always_approve=True)
    kept = context._approvals.to_json()
    other = Owner("Ada")
    found = Approvals.from_json(kept, {"Ada": other})
    assert found.about(waiting("c2", agent=other), "c2").approved
    assert Approvals.from_json(kept, {}).about(waiting("c2"), "c2") is None


def test_decisions_that_do_not_say_whose_tool_they_are_about_are_dropped():
    assert len(Approvals.from_json({"pay": {"approved": True}})) == 0


def test_a_hosted_call_without_the_provider_s_id_has_its_own(context):
    raw = {"type": "hosted_tool_call", "id": "h1", "name": "search"}
    request = {"type": "mcp_approval_request", "server_label": "books", "name": "search"}
    item = ToolApprovalItem(agent=ADA, raw_item={**raw, "provider_data": request})
    context.approve_tool(item)
    assert context.get_approval_status("search", "h1", existing_pending=item) is True
    request.pop("server_label")
    with pytest.raises(ModelBehaviorError, match="canonical invocation identity"):
        context.approve_tool(item)
