"""Kill who commands and who is commanded: `make commands ARGS="--seed 7 --rounds 50"`.

In each round a process performs a run of five turns, one of which waits for a person, and another one
posts commands to it. Both are killed, at an append or a post of their own: before it, within its
transaction, after it. Then the run is gone on with until it ends. A command whose post was
acknowledged must stand in the log once, as taken; none may stand there twice; what was sent must be
in the conversation once; nothing may be left in the inbox. A seed repeats the choices; who is quicker,
it cannot.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from outlast import (
    Agent,
    AgentsException,
    Model,
    ModelResponse,
    RunConfig,
    RunHasEnded,
    RunIsPaused,
    Runner,
    RunNotFound,
    Usage,
    function_tool,
)
from outlast.core.commands import Command, Decide, GoOn, Pause, RaiseLimit, Send
from outlast.core.events import CommandTaken, RunCompleted
from outlast.core.evolve import fold
from outlast.journal import SqliteJournal
from outlast.models.streaming import reply_events
from outlast.testing import CrashingJournal, assistant_message, function_call

TURNS = 5
POSTS = 8
MOMENTS = ("before", "within", "after", "never")


@dataclass
class Round:
    """One run, and who works on it."""

    place: Path
    owner: str
    """At which append the owner dies: `3:before`; empty: at none."""
    poster: tuple[int, str]
    """At which post the poster dies, and when."""
    seed: int


class Counting(Model):
    """A model that looks something up in each turn, pays once, and answers at the end."""

    async def get_response(self, *args: Any, **kwargs: Any) -> ModelResponse:
        items = args[1] if len(args) > 1 else kwargs["input"]
        await asyncio.sleep(0.002)
        done = sum(each.get("type") == "function_call_output" for each in items)
        name = "pay" if done == TURNS // 2 else "look"
        call = function_call(name, {}, call_id=f"c{done}")
        output = [call] if done < TURNS else [assistant_message("done")]
        return ModelResponse(output=output, usage=Usage(), response_id=None)

    async def stream_response(self, *args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        for event in reply_events(await self.get_response(*args, **kwargs), model="counting"):
            yield event


def desk() -> Agent[Any]:
    """Looks around, and pays when it is let."""

    @function_tool
    async def look() -> str:
        await asyncio.sleep(0.002)
        return "seen"

    @function_tool(needs_approval=True)
    async def pay() -> str:
        return "paid"

    return Agent(name="desk", tools=[look, pay], model=Counting())


def journal_at(place: Path) -> SqliteJournal:
    """The journal of a round."""
    return SqliteJournal(place / "journal.db", durability="process")


# --- What the children do. ---------------------------------------------------------------


async def own(made: Round) -> None:
    """Perform the run until it ends, waits or is paused; die at the chosen append."""
    number, _, moment = made.owner.partition(":")
    inner = journal_at(made.place)
    journal: Any = CrashingJournal(
        inner, at=int(number or 0), moment="after" if moment == "after" else "before"
    )
    config = RunConfig(journal=journal)
    try:
        await Runner.run(desk(), "begin", run_id="r", max_turns=50, run_config=config)
    except RunIsPaused:
        pass
    finally:
        await inner.close()


async def post(made: Round) -> None:
    """Post commands, and write down which were acknowledged; die at the chosen post."""
    dice = random.Random(made.seed)
    journal = journal_at(made.place)
    number, moment = made.poster
    put = journal.inbox._put  # pyright: ignore[reportPrivateUsage]

    def killing(*about: Any) -> None:
        put(*about)
        if moment == "within" and count == number:
            os.kill(os.getpid(), signal.SIGKILL)

    journal.inbox._put = killing  # type: ignore[method-assign]  # pyright: ignore[reportPrivateUsage]
    for _ in range(2_000):
        try:
            await journal.read("r")
            break
        except RunNotFound:
            await asyncio.sleep(0.001)
    with (made.place / "posted").open("ab", buffering=0) as posted:
        for count in range(POSTS):
            command = some_command(dice, f"k{count}")
            if moment == "before" and count == number:
                os.kill(os.getpid(), signal.SIGKILL)
            try:
                await journal.post("r", command)
            except RunHasEnded:
                break
            if moment == "after" and count == number:
                posted.write(f"{command.id}\n".encode())
                os.kill(os.getpid(), signal.SIGKILL)
            posted.write(f"{command.id}\n".encode())
            if dice.random() < 0.3:  # Who posts the same again changes nothing.
                await journal.post("r", command)
            await asyncio.sleep(dice.random() * 0.01)
    await journal.close()


def some_command(dice: random.Random, name: str) -> Command:
    """Any command but one that ends the run."""
    makes: list[Callable[[], Command]] = [
        lambda: Send(id=name, items=[{"role": "user", "content": name}]),
        lambda: Send(id=name, items=[{"role": "user", "content": name}]),
        lambda: Pause(id=name, by="chaos"),
        lambda: GoOn(id=name),
        lambda: RaiseLimit(id=name, max_turns=60 + dice.randint(0, 9)),
        lambda: Decide(id=name, call_id=f"c{TURNS // 2}", approved=True, by=name),
    ]
    return dice.choice(makes)()


async def finish(made: Round) -> None:
    """Go on with the run until it has ended, whatever it waits for."""
    inner = journal_at(made.place)
    config = RunConfig(journal=inner)
    try:
        for _ in range(20):
            try:
                result = await Runner.resume("r", desk(), run_config=config)
            except RunIsPaused:
                continue
            if not result.interruptions:
                return
            for each in result.interruptions:
                try:
                    await Runner.approve("r", str(each.call_id), by="end", run_config=config)
                except AgentsException:  # Somebody has decided meanwhile.
                    continue
    finally:
        await inner.close()


# --- A round. ----------------------------------------------------------------------------


def spawn(work: Callable[[Round], Coroutine[Any, Any, None]], made: Round) -> int:
    """Do ``work`` in a child; its process id."""
    pid = os.fork()
    if pid:
        return pid
    code = 70
    try:
        asyncio.run(work(made))
        code = 0
    except BaseException as error:  # noqa: BLE001  # the parent judges it
        (made.place / f"error.{work.__name__}").write_text(repr(error))
    finally:
        os._exit(code)


def play(made: Round) -> tuple[int, list[str]]:
    """How many children were killed, and what went wrong."""
    pids = [spawn(own, made), spawn(post, made)]
    codes = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]
    last = os.waitstatus_to_exitcode(os.waitpid(spawn(finish, made), 0)[1])
    problems = [f"{file.name}: {file.read_text()}" for file in made.place.glob("error.*")]
    problems += [f"the last process left with {last}"] if last else []
    killed = sum(code == -signal.SIGKILL for code in codes)
    return killed, problems + asyncio.run(judge(made))


async def judge(made: Round) -> list[str]:
    """What the journal of a round has that it must not have."""
    journal = journal_at(made.place)
    try:
        if not await journal.runs():
            return ["the run never began"]
        log = [each.event for each in await journal.read("r")]
        lease = await journal.acquire("r")
        unknown = [each.id for each in journal.inbox.pending(lease)]
    finally:
        await journal.close()
    receipts = [event for event in log if isinstance(event, CommandTaken) and event.id[0] == "k"]
    taken = Counter(receipt.id for receipt in receipts)
    file = made.place / "posted"
    posted = file.read_text().split() if file.exists() else []
    state = fold(log)
    inputs = [entry.item for entry in state.entries if entry.kind == "input"]
    heard = Counter(str(item.get("content")) for item in inputs)
    sent = {event.id for event in receipts if event.kind == "send" and event.error is None}
    problems = [f"{name} was lost" for name in posted if not taken[name]]
    problems += [f"{name} was taken {n} times" for name, n in taken.items() if n > 1]
    problems += [f"{name} was heard {heard[name]} times" for name in sent if heard[name] != 1]
    problems += [f"{name} was heard and never taken" for name in heard.keys() - sent]
    problems += [f"{name} waits" for name in unknown if name[0] == "k" and not taken[name]]
    if not isinstance(state.ended, RunCompleted):
        problems.append(f"the run is {type(state.ended).__name__}")
    return problems


def warm_up() -> None:
    """Import in this process what each child would import anew."""
    with folder() as place:
        made = Round(place, "", (0, "never"), 1)
        for work in (own, post, finish):
            asyncio.run(work(made))


@contextmanager
def folder() -> Iterator[Path]:
    """A folder in memory, where there is some: only processes die here."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as name:
        yield Path(name)


def rounds(seed: int, count: int, seconds: float = 1e9) -> tuple[int, int, list[str]]:
    """How many rounds were played, how many processes were killed, and what went wrong."""
    warm_up()
    dice, began = random.Random(seed), time.monotonic()
    played, killed, problems = 0, 0, list[str]()
    for number in range(count):
        if time.monotonic() - began > seconds:
            break
        append = f"{dice.randint(2, 24)}:{dice.choice(MOMENTS[::2])}"
        owner = append if dice.random() < 0.7 else ""
        poster = (dice.randrange(POSTS), dice.choice(MOMENTS))
        with folder() as place:
            made = Round(place, owner, poster, dice.randrange(10**9))
            dead, wrong = play(made)
        played, killed = played + 1, killed + dead
        problems += [f"round {number} (owner {owner}, poster {poster}): {each}" for each in wrong]
    return played, killed, problems


def main() -> int:
    """Play. The exit status says whether everything held."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--rounds", type=int, default=2_000, help="how many rounds (2000)")
    parser.add_argument("--seconds", type=float, default=1e9, help="stop after so long")
    asked = parser.parse_args()
    played, killed, problems = rounds(asked.seed, asked.rounds, asked.seconds)
    for problem in problems[:20]:
        print(problem, file=sys.stderr)
    print(
        f"{played} rounds, {killed} processes killed, {len(problems)} problems (seed {asked.seed})"
    )
    return 1 if problems or not killed else 0


if __name__ == "__main__":
    sys.exit(main())
