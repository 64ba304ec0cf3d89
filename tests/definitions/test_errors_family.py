"""All errors are one family, keep their facts, and survive pickling."""

import pickle
from types import SimpleNamespace

import pytest

from outlast.core import errors
from outlast.core.errors import (
    AgentsException,
    Fenced,
    InputGuardrailTripwireTriggered,
    JournalConflict,
    JournalError,
    MaxTurnsExceeded,
    ModelRefusalError,
    ModelTimeoutError,
    RunErrorDetails,
    ToolInputGuardrailTripwireTriggered,
    ToolOutputGuardrailTripwireTriggered,
    ToolTimeoutError,
    UserError,
)


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (MaxTurnsExceeded("Max turns (3) exceeded"), "Max turns (3) exceeded"),
        (ModelRefusalError("no"), "Model refused to produce output: no"),
        (ModelTimeoutError(2.5), "Model call timed out after 2.5 seconds."),
        (ToolTimeoutError("slow", 1.0), "Tool 'slow' timed out after 1 seconds."),
    ],
)
def test_an_error_says_what_happened_and_survives_pickling(error, text):
    again = pickle.loads(pickle.dumps(error))
    assert str(error) == str(again) == text
    assert again.run_data is None


def test_a_tripped_guardrail_names_its_kind():
    result = SimpleNamespace(guardrail=SimpleNamespace())
    error = InputGuardrailTripwireTriggered(result)
    assert error.guardrail_result is result
    assert str(error) == "Guardrail SimpleNamespace triggered tripwire"


@pytest.mark.parametrize(
    "kind", [ToolInputGuardrailTripwireTriggered, ToolOutputGuardrailTripwireTriggered]
)
def test_a_tripped_tool_guardrail_keeps_guardrail_and_output(kind):
    error = kind("guardrail", "output")
    assert (error.guardrail, error.output) == ("guardrail", "output")
    assert pickle.loads(pickle.dumps(error)).guardrail == "guardrail"


def test_every_error_of_the_module_is_of_the_family():
    found = [each for each in vars(errors).values() if isinstance(each, type)]
    raised = [each for each in found if issubclass(each, Exception)]
    assert len(raised) > 20
    assert all(issubclass(each, AgentsException) for each in raised)


def test_losing_a_run_to_another_process_is_a_conflict():
    assert issubclass(Fenced, JournalConflict)
    assert issubclass(JournalConflict, JournalError)


def test_details_of_a_failed_run_are_a_short_text():
    agent = SimpleNamespace(name="Ada")
    error = UserError("x")
    error.run_data = RunErrorDetails("hi", [1], [], agent, None, [], [])
    assert 'Agent(name="Ada", ...)' in str(error.run_data)
    assert "1 new item(s)" in str(error.run_data)
