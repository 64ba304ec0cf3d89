"""A run while it goes on: short lines for what happens, tokens as they come."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from rich.text import Text

from outlast.cli.advice import about_context
from outlast.cli.text import lines, plain, short
from outlast.definitions.stream_events import ToolProgressStreamEvent
from outlast.views.words import answer_from, arguments_of

if TYPE_CHECKING:
    from rich.console import Console

    from outlast.run.stream import RunResultStreaming

_WORDS = re.compile(r"\s*\S+\s*|\s+")
_MARGIN = 2
_AGENT = 12


class LiveScreen:
    """Prints what happens. Each line names the agent when it changes."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._agent = ""
        self._named = ""
        self._column = 0
        """Where the tokens of the open line end; 0 when no line is open."""
        self._gap = False
        """Whether the last token ended in a space."""

    def agent(self, name: str) -> None:
        """Another agent has taken over."""
        self._agent = plain(name)

    async def show(self, result: RunResultStreaming) -> None:
        """Print the stream of a run until it ends."""
        async for each in result.stream_events():
            event: Any = each
            if event.type == "agent_updated_stream_event":
                self.agent(event.new_agent.name)
            elif event.type == "raw_response_event":
                if event.data.type == "response.output_text.delta":
                    self.token(event.data.delta)
            elif event.type == "tool_progress_event":
                self.note(f"… {progress_text(event)}", "dim")
            elif event.name == "handoff_occured":
                self.note(f"hands over to {event.item.target_agent.name}", "cyan")
            elif event.name == "tool_called":
                call = event.item.raw_item
                arguments = arguments_of({"arguments": getattr(call, "arguments", "")})
                self.note(f"{getattr(call, 'name', call.type)}({arguments})", "cyan")
            elif event.name == "tool_output":
                self._answer(result, event.item)
        self.end()

    def _answer(self, result: RunResultStreaming, item: Any) -> None:
        error = result.tool_error(item.call_id)
        if error is None:
            self.note(f"= {answer_from(item.output)}", "dim")
        else:
            self.note(f"✗ {error.kind}: {error.message}", "red")
            if hint := about_context(error.message):
                self._console.print(Text(hint, style="yellow"), soft_wrap=True)

    def note(self, text: str, style: str) -> None:
        """A line of its own, cut where the screen ends."""
        self.end()
        prefix = self._prefix()
        room = self._console.width - len(prefix)
        self._console.print(prefix + Text(short(text, room), style=style))

    def token(self, text: str) -> None:
        """A piece of what the model says."""
        for number, part in enumerate(lines(text)):
            if number:
                self.end()
            for word in _WORDS.findall(part):
                self._say(word)

    def end(self) -> None:
        """Close the line that tokens have opened."""
        if self._column:
            self._console.print()
        self._column = 0
        self._gap = False

    def _say(self, part: str) -> None:
        if not part or (not self._column and not part.strip()):
            return
        word = part.strip()
        has_gap = self._gap or part[0].isspace()
        if self._column and self._column + has_gap + len(word) > self._console.width:
            self.end()
        if not self._column:
            prefix = self._prefix()
            self._console.print(prefix, end="")
            self._column, has_gap = len(prefix), False
        text = f" {word}" if has_gap and word else word
        self._console.print(Text(text), end="", soft_wrap=True)
        self._column += len(text)
        # A space is printed with the word after it, so that no line ends in one.
        self._gap = part[-1].isspace()

    def _prefix(self) -> Text:
        name = self._agent if self._agent != self._named else ""
        self._named = self._agent
        text = Text(" " * _MARGIN)
        return text.append(f"{short(name, _AGENT):<{_AGENT}} ", style="bold")


def progress_text(event: ToolProgressStreamEvent) -> str:
    """How far a tool has come."""
    whole = "" if event.total is None else f"/{event.total:g}"
    return f"{event.tool_name} {event.progress:g}{whole} {event.message or ''}".rstrip()
