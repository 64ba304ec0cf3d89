"""A conversation in the terminal: what was said, the turn that goes on, and what is asked meanwhile.

Each message is a run of its own, in one event loop for all of them. Ctrl-C while a run goes on ends
that run; at the prompt it drops the line.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import sys
from dataclasses import dataclass, field
from typing import Any

from rich.text import Text

from outlast.cli.asking import call_lines
from outlast.cli.live import LiveScreen
from outlast.cli.panel import panel
from outlast.cli.problem import problem_of
from outlast.cli.program import Program
from outlast.cli.running import account, calls_of
from outlast.cli.screen import console
from outlast.cli.text import plain
from outlast.core.errors import AgentsException, AlreadyDecided, UserError
from outlast.definitions.agent import Agent
from outlast.effects.config import RunConfig
from outlast.run.runner import Runner, get_default_agent_runner
from outlast.run.servers import connected_servers
from outlast.views.words import command_line

PROMPT, MORE = "> ", ". "
FENCE = '"""'


class Leave(Exception):
    """The conversation is over."""


@dataclass
class Conversation:
    """What was said, with whom, and by which model."""

    program: Program
    agent: Agent[Any]
    items: list[Any] = field(default_factory=list[Any])
    model: str | None = None
    """None for the agent's own."""
    message: str = ""
    """The last one, for `/retry`."""
    before: tuple[list[Any], Agent[Any]] | None = None
    """Items and agent as they were before the last message."""
    result: Any = None
    """Of the last run, as far as it came."""
    can_go_on: bool = False
    """Whether the last run failed, so that `/retry` goes on with it."""

    @property
    def run_id(self) -> str:
        """The last run; empty if there was none, or it did not begin."""
        return "" if self.result is None else self.result.run_id


def chat(program: Program) -> int:
    """Talk with the agent of ``program`` until the input ends. Wants no running loop."""
    talk = Conversation(program, program.agent)
    screen = console()
    if sys.stdin.isatty():
        with contextlib.suppress(ImportError):
            importlib.import_module("readline")  # Input gets a history and editing by it.
        name = plain(program.agent.name)
        screen.print(Text(f"{name}. Ctrl-D leaves, Ctrl-C stops an answer, /help lists more."))
    with asyncio.Runner() as loop:
        servers = connected_servers(program.agent)
        loop.run(servers.__aenter__())
        try:
            _converse(loop, talk)
        finally:
            loop.run(servers.__aexit__(None, None, None))
    return 0


def _converse(loop: asyncio.Runner, talk: Conversation) -> None:
    while True:
        try:
            _respond(loop, talk, read_message())
        except Leave:
            return
        except KeyboardInterrupt:
            print()


def read_message() -> str:
    """What is typed: a line, lines that end in a backslash, or a block between lines of three quotes.

    Raises:
        Leave: The input has ended.
        KeyboardInterrupt: Ctrl-C was pressed; what was typed is gone.
    """
    line = _line(PROMPT)
    if line.strip() == FENCE:
        return "\n".join(iter(lambda: _line(MORE), FENCE))
    lines = [line]
    while lines[-1].endswith("\\"):
        lines[-1] = lines[-1][:-1]
        lines.append(_line(MORE))
    return "\n".join(lines).strip()


def _line(prompt: str) -> str:
    shown = prompt if sys.stdin.isatty() else ""
    try:
        return input(shown)
    except EOFError:
        if shown:
            print()
        raise Leave from None


def _respond(loop: asyncio.Runner, talk: Conversation, message: str) -> None:
    if not message:
        return
    if not message.startswith("/"):
        _turn(loop, talk, message)
        return
    word, _, rest = message[1:].partition(" ")
    react = _COMMANDS.get(word)
    if react is None:
        _say(f"There is no /{plain(word)}. /help lists what there is.", "yellow")
        return
    react(loop, talk, rest.strip())


def _turn(loop: asyncio.Runner, talk: Conversation, message: str) -> None:
    talk.message, talk.before = message, (talk.items, talk.agent)
    _perform(loop, talk, [*talk.items, {"role": "user", "content": message}])


def _perform(loop: asyncio.Runner, talk: Conversation, what: Any) -> None:
    """Perform a run, ask a person where it asks for one, and keep what it came to."""
    live = LiveScreen(console())
    live.agent(talk.agent.name)
    talk.can_go_on = False
    try:
        result = loop.run(_performed(talk, what, live))
        while result.interruptions:
            state = result.to_state()
            _decide(loop, result, state)
            result = loop.run(_performed(talk, state, live))
    except KeyboardInterrupt:
        live.end()
        _say("\nstopped", "yellow")
        _end_waiting(loop, talk)
        _forget_turn(talk)
        return
    except Exception as error:  # noqa: BLE001 (whatever a turn fails of, the conversation goes on)
        live.end()
        panel(problem_of(error))
        talk.can_go_on = isinstance(error, AgentsException) and bool(talk.run_id)
        _forget_turn(talk)
        return
    talk.items, talk.agent = result.to_input_list(), result.last_agent


def _end_waiting(loop: asyncio.Runner, talk: Conversation) -> None:
    """End a run that waits for an answer that nobody gives. One in flight has ended by itself."""
    if talk.result is not None and talk.result.interruptions:
        with contextlib.suppress(AgentsException):
            loop.run(Runner.cancel(talk.run_id))


def _forget_turn(talk: Conversation) -> None:
    if talk.before is not None:
        talk.items, talk.agent = talk.before


async def _performed(talk: Conversation, what: Any, live: LiveScreen) -> Any:
    config = RunConfig(on_abandon="cancel", model=talk.model)
    # The log remembers the program, for whoever looks at the run. `Runner` has no argument for that.
    result = get_default_agent_runner().run_streamed(
        talk.agent, what, run_config=config, program=talk.program.place
    )
    talk.result = result
    await live.show(result)
    return result


def _decide(loop: asyncio.Runner, result: Any, state: Any) -> None:
    """Ask about each call that waits.

    Raises:
        KeyboardInterrupt: Nobody answers.
    """
    shown = {call.key: call for call in loop.run(calls_of(result.run_id))}
    screen = console()
    for item in result.interruptions:
        call = shown.get(item.call_id)
        lines = list(call_lines(result.run_id, call, screen.width)) if call else [str(item.name)]
        # The last two are commands for another terminal.
        for line in lines[1:-2] if call else lines:
            screen.print(Text(line, style="cyan"), soft_wrap=True)
        if item.question:
            _reply(loop, result.run_id, item, state)
            continue
        answer = _answer()
        if answer.casefold() in ("y", "yes"):
            state.approve(item)
        elif answer.casefold() in ("a", "always"):
            state.approve(item, always_approve=True)
        elif answer.casefold() in ("n", "no", ""):
            state.reject(item)
        else:
            state.reject(item, rejection_message=answer)


def _reply(loop: asyncio.Runner, run_id: str, item: Any, state: Any) -> None:
    """Answer the question of a tool; nothing refuses it."""
    while reply := _answer("  your answer, or nothing to refuse: "):
        try:
            loop.run(Runner.answer(run_id, item.question_id, reply, by=account()))
        except AlreadyDecided as error:
            _say(str(error))
        except UserError as error:
            _say(str(error))
            continue
        return
    state.reject(item)


def _answer(prompt: str = "  run it? yes, always, no, or what to tell the agent: ") -> str:
    try:
        return _line(prompt).strip()
    except Leave:
        raise KeyboardInterrupt from None


def _say(text: str, style: str = "dim") -> None:
    console().print(Text(text, style=style), soft_wrap=True)


def _help(loop: asyncio.Runner, talk: Conversation, rest: str) -> None:
    del loop, talk, rest
    _say(_HELP, "")


def _run(loop: asyncio.Runner, talk: Conversation, rest: str) -> None:
    del loop, rest
    if not talk.run_id:
        _say("Nothing was said yet.")
        return
    _say(f"run {plain(talk.run_id)}", "bold")
    show = plain(command_line("show", talk.run_id))
    _say(f"agent {plain(talk.agent.name)}, {len(talk.items)} items\n{show}")


def _retry(loop: asyncio.Runner, talk: Conversation, rest: str) -> None:
    del rest
    if talk.before is None:
        _say("Nothing was said yet.")
        return
    _forget_turn(talk)
    if talk.can_go_on:
        _go_on(loop, talk)
        return
    _turn(loop, talk, talk.message)


def _go_on(loop: asyncio.Runner, talk: Conversation) -> None:
    """Go on with a run that failed: what it has done is not done again."""
    live = LiveScreen(console())
    live.agent(talk.agent.name)
    try:
        result = loop.run(Runner.resume(talk.run_id, talk.agent))
    except KeyboardInterrupt:
        _say("stopped", "yellow")
        return
    except Exception as error:  # noqa: BLE001 (as for a turn)
        panel(problem_of(error))
        return
    live.agent(result.last_agent.name)
    live.token(str(result.final_output))
    live.end()
    talk.can_go_on = False
    talk.items, talk.agent = result.to_input_list(), result.last_agent


def _model(loop: asyncio.Runner, talk: Conversation, rest: str) -> None:
    del loop
    if rest:
        talk.model = None if rest == "-" else rest
    own = talk.agent.model or "the default"
    name = talk.model or (own if isinstance(own, str) else type(own).__name__)
    _say(f"model {plain(name)}{'' if talk.model else ', of the agent'}")


def _new(loop: asyncio.Runner, talk: Conversation, rest: str) -> None:
    del loop, rest
    talk.items, talk.agent, talk.before = [], talk.program.agent, None
    _say("A new conversation.")


def _leave(loop: asyncio.Runner, talk: Conversation, rest: str) -> None:
    del loop, talk, rest
    raise Leave


_COMMANDS = {
    "help": _help, "run": _run, "retry": _retry, "model": _model, "new": _new, "quit": _leave,
    "exit": _leave,
}  # fmt: skip

_HELP = '''\
/help           this list
/run            which run the last message was, and how to look at it
/retry          ask again; a run that failed goes on where it was
/model [NAME]   another model from now on; - is the agent's own again
/new            forget what was said
/quit           leave, as Ctrl-D does
A line that ends in \\ goes on, and """ begins and ends a block of lines.'''
