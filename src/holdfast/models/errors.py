"""Failures of a provider, in Holdfast's own family of exceptions.

The text of a `ModelRequestError` names a status, a code and a request id, and nothing that was
sent or answered: prompts, keys and bodies stay out of logs. The library's error is its cause.
"""

from __future__ import annotations

import contextlib
import functools
import re
from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from holdfast.core.errors import AgentsException, ModelBehaviorError
from holdfast.definitions.model import ModelTracing
from holdfast.definitions.retry import ModelRetryAdvice, ModelRetryAdviceRequest
from holdfast.models.normalized import header, lost_connection, normalized_error

if TYPE_CHECKING:
    from openai import OpenAIError

_REDACTED = "Error details are redacted."
_CODE = re.compile(r"[\w.-]{1,64}")


class ModelRequestError(AgentsException):
    """A request to a model's provider failed.

    What is raised is also an instance of the `openai` library's own class of that failure
    (`openai.RateLimitError`, …), with its attributes, so that both can be caught.
    """

    __cause__: BaseException | None


def request_error(error: OpenAIError) -> ModelRequestError:
    """``error`` of the library as one of ours, to be raised from it."""
    ours = _both(type(error))
    made = ours.__new__(ours)
    made.__dict__.update(error.__dict__)
    made.run_data = None
    made.args = (_told(error),)
    made.__dict__["message"] = made.args[0]
    return made


def advice(request: ModelRetryAdviceRequest) -> ModelRetryAdvice | None:
    """What a failure says about trying again, or the failure behind it; None if it says nothing."""
    facts = normalized_error(request.error)
    suggested: bool | None = None
    safety = None
    if getattr(request.error, "unsafe_to_replay", False):
        suggested, safety = False, "unsafe"
    elif (wish := header(request.error, "x-should-retry")) in ("true", "false"):
        suggested, safety = wish == "true", "safe" if wish == "true" else None
    elif lost_connection(request.error):
        # The provider may have it or not, which matters only where it keeps the conversation.
        suggested = facts.is_network_error = True
    elif facts.status_code in (408, 409, 429) or (facts.status_code or 0) >= 500:  # noqa: PLR2004 (server errors)
        suggested = True
        # A provider that answers so has not added to the conversation.
        is_stateful = request.previous_response_id or request.conversation_id
        safety = "safe" if is_stateful else None
    elif facts.retry_after is None:
        return None
    return ModelRetryAdvice(
        suggested=suggested,
        retry_after=facts.retry_after,
        replay_safety=safety,
        reason=facts.message,
        normalized=facts,
    )


def terminal_error(event: Any) -> ModelBehaviorError:
    """The error that a stream's failing last event stands for."""
    if event.type == "error":
        facts = {"code": event.code, "message": event.message, "param": event.param}
        return _ended(event.type, facts)
    return response_error(event.response, event.type)


def response_error(response: Any, kind: str | None = None) -> ModelBehaviorError:
    """The error that a response with a failing status stands for."""
    facts: dict[str, Any] = {"status": response.status}
    if response.error is not None:
        facts |= {"code": response.error.code, "message": response.error.message}
    if response.incomplete_details is not None:
        facts["incomplete_details"] = response.incomplete_details
    return _ended(kind or f"response.{response.status}", facts)


@contextlib.contextmanager
def told_to(span: Any, message: str, tracing: ModelTracing) -> Generator[None]:
    """Let ``span`` say that what runs in here has failed; in detail only where data may be traced."""
    try:
        yield
    except GeneratorExit:  # The consumer of a stream has seen enough; that is no failure.
        raise
    except BaseException as error:
        text = str(error) if tracing.include_data() else _REDACTED
        span.set_error({"message": message, "data": {"error": text}})
        raise


def _ended(kind: str, facts: dict[str, Any]) -> ModelBehaviorError:
    told = "; ".join(f"{name}={value}" for name, value in facts.items() if value is not None)
    return ModelBehaviorError(f"Responses stream ended with terminal event `{kind}`. {told}.")


@functools.cache
def _both(theirs: type[OpenAIError]) -> type[ModelRequestError]:
    return type(theirs.__name__, (ModelRequestError, theirs), {"__module__": __name__})


def _told(error: Any) -> str:
    status = error.__dict__.get("status_code")
    code = error.__dict__.get("code")
    request_id = error.__dict__.get("request_id")
    parts = [f"status {status}"] if status is not None else []
    # A code is a short name by contract. Whatever else stands there is not repeated.
    parts += [f"code {code}"] if isinstance(code, str) and _CODE.fullmatch(code) else []
    parts += [f"request {request_id}"] if request_id else []
    facts = f" ({', '.join(parts)})" if parts else ""
    return f"The request to the model failed: {type(error).__name__}{facts}. {_what_to_do(status)}"


def _what_to_do(status: int | None) -> str:
    match status:
        case 401 | 403:
            return "Check the API key and what it may use."
        case 404:
            return "Check the model's name and the base URL."
        case 429:
            return "Wait, or give ModelSettings(retry=...) a policy that does."
        case None:
            return "Check the network and the base URL; ModelSettings(retry=...) can try again."
        case _:
            return "The cause of this exception has the provider's answer."
