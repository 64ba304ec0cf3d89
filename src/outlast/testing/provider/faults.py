"""Every way in which the provider can misbehave: one table, with a line about each.

A fault is asked for as a step of a script (`fault("rst_mid")`), by the model's name
(`model="fault:rst_mid"`, or `"fault:rst_mid*2"` for the first two requests only), or by a header
(`x-outlast-fault: rst_mid`), which also reaches polls and the handshake of a websocket.

Four kinds, by what they spoil:

* ``wire``: the connection, the status or the whole body; plain and streamed requests;
* ``reply``: what the model says, sent properly; plain and streamed requests;
* ``body``: the JSON of a plain answer;
* ``stream``: the events of a streamed answer, by server-sent events or by websocket.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from outlast.core.errors import UserError
from outlast.testing.provider.fault_bodies import CHAT_BODIES, COMMON_BODIES, RESPONSES_BODIES
from outlast.testing.provider.fault_replies import REPLIES
from outlast.testing.provider.fault_streams import CHAT_STREAMS, COMMON_STREAMS
from outlast.testing.provider.fault_streams_responses import RESPONSES_STREAMS
from outlast.testing.provider.fault_wire import WIRE

Api = Literal["chat", "responses"]
Kind = Literal["wire", "reply", "body", "stream"]
_HARMLESS = " (no fault)"
_BOTH: tuple[Api, ...] = ("chat", "responses")


@dataclass(frozen=True)
class Fault:
    """One way to misbehave."""

    name: str
    about: str
    """One line: what a client gets to see."""
    kind: Kind
    apis: tuple[Api, ...]
    play: dict[Api, Any]
    """The function that does it, by API; what it takes depends on the kind."""
    harmless: bool = False
    """Whether a client that keeps to the standards gets a good answer all the same."""


class ProviderFault(Exception):
    """A step of a script that is a fault. A `ScriptedModel` raises it as it is."""

    def __init__(self, name: str) -> None:
        super().__init__(f"The provider's fault {name!r}: {FAULTS[name].about}.")
        self.name = name


def fault(name: str) -> ProviderFault:
    """A step of a script that misbehaves in the way of that name.

    Raises:
        UserError: There is no such fault.
    """
    return ProviderFault(known(name).name)


def known(name: str) -> Fault:
    """The fault of that name.

    Raises:
        UserError: There is none; the text has the names that come closest.
    """
    if name in FAULTS:
        return FAULTS[name]
    import difflib

    close = difflib.get_close_matches(str(name), FAULTS, n=4) or sorted(FAULTS)[:4]
    raise UserError(
        f"There is no fault {name!r} among {len(FAULTS)}. Did you mean {' or '.join(close)}? "
        "`outlast.testing.provider.FAULTS` has them all."
    )


def faults_for(api: Api, *, stream: bool) -> list[Fault]:
    """The faults that a request of that API can meet, plain or streamed."""
    spared = "body" if stream else "stream"
    return [each for each in FAULTS.values() if api in each.apis and each.kind != spared]


def _table() -> dict[str, Fault]:
    made: dict[str, Fault] = {}
    groups: list[tuple[Kind, tuple[Api, ...], dict[str, tuple[str, Any]]]] = [
        ("wire", _BOTH, WIRE),
        ("reply", _BOTH, REPLIES),
        ("body", _BOTH, COMMON_BODIES),
        ("body", ("chat",), CHAT_BODIES),
        ("body", ("responses",), RESPONSES_BODIES),
        ("stream", _BOTH, COMMON_STREAMS),
        ("stream", ("chat",), CHAT_STREAMS),
        ("stream", ("responses",), RESPONSES_STREAMS),
    ]
    for kind, apis, group in groups:
        for name, (about, play) in group.items():
            before = made.get(name)
            plays: dict[Api, Any] = {**(before.play if before else {}), **dict.fromkeys(apis, play)}
            said = before.about if before else about.removesuffix(_HARMLESS)
            made[name] = Fault(name, said, kind, tuple(plays), plays, about.endswith(_HARMLESS))
    return made


FAULTS: dict[str, Fault] = _table()
