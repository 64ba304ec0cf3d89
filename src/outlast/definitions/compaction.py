"""How a run keeps its conversation within what its model can read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from outlast.core.errors import WrongValue
from outlast.definitions.given import check_function, check_model, check_number
from outlast.definitions.model import Model


@dataclass(frozen=True, kw_only=True)
class Compaction:
    """Makes the conversation shorter before it gets too long for the model. For any provider.

    Before each call the tokens are estimated. Above ``at`` of the context, old tool results are cut;
    if that is not enough, older items become a summary that a model writes, and the newest stay. No
    call is torn from its output, and no reasoning from what it led to. What the model sees from then
    on is an event of the run, so a resume sees the same. If the provider says that a request was too
    long all the same, the call is made once more with less.

    A session keeps all of its items. The summary is added to it, and later runs begin to read there.

    Attributes:
        context_tokens: How many tokens the model can read.
        at: From which part of them the conversation is made shorter.
        to: To which part of them.
        keep_tool_results: How many of the newest tool results are not cut.
        summary_model: Who writes the summary; None for the model of the turn, ``"off"`` for nobody:
            then what is too old is left out.
        summary_words: How long it may get.
        count: Says how many tokens a text has; None for an estimate from its length.

    Raises:
        ValueError: A number is out of range.
    """

    context_tokens: int
    at: float = 0.8
    to: float = 0.5
    keep_tool_results: int = 4
    summary_model: str | Model | None = None
    summary_words: int = 400
    count: Callable[[str], int] | None = None

    def __post_init__(self) -> None:
        for name in ("at", "to"):
            check_number(f"Compaction {name}", getattr(self, name))
        for name, least in (("context_tokens", 1), ("summary_words", 1), ("keep_tool_results", 0)):
            check_number(f"Compaction {name}", getattr(self, name), least=least, whole=True)
        check_model("Compaction summary_model", self.summary_model)
        check_function("Compaction count", self.count)
        if not 0 < self.to < self.at <= 1:
            raise WrongValue(
                f"Compaction needs 0 < to < at <= 1, got to={self.to!r} and at={self.at!r}."
            )
