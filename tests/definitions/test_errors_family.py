"""All errors are one family, keep their facts, and survive pickling."""

import copy
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


def family(kind=AgentsException):
    yield kind
    for each in kind.__subclasses__():
        yield from family(each)


@pytest.mark.parametrize("kind", sorted(set(family()), key=lambda kind: kind.__name__))
@pytest.mark.parametrize("again", [lambda error: pickle.loads(pickle.dumps(error)), copy.deepcopy])
def test_every_error_arrives_with_all_that_can_go_along(kind, again):
    error = kind.__new__(kind)
    error.args = ("what happened",)
    vars(error).update(
        message="what happened",
        number=3,
        run_data={"agent": test_every_error_arrives_with_all_that_can_go_along},
    )
    carried = again(error)
    assert type(carried) is kind
    assert (carried.args, carried.number, str(carried)) == (error.args, 3, str(error))
    assert carried.run_data == error.run_data


def test_what_cannot_go_along_is_left_behind_and_kept_by_a_copy():
    error = UserError("what happened")
    error.run_data = lambda: "an agent"
    assert pickle.loads(pickle.dumps(error)).run_data is None
    assert copy.copy(error).run_data is error.run_data


def test_an_error_of_a_class_that_is_made_while_a_program_runs_arrives_as_what_it_is_made_of():
    class Both(ModelTimeoutError, OSError):
        pass

    carried = pickle.loads(pickle.dumps(Both(2.5)))
    assert (type(carried), carried.timeout_seconds) == (ModelTimeoutError, 2.5)


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
