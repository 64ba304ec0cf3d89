"""What the log keeps of an error: its values as they were, no secrets, and never a failure of its own."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from outlast.core.events import ErrorFacts
from outlast.effects.error_values import is_secret_name, kept_text
from outlast.effects.failures import error_facts, error_of

SECRET = "sk-SECRETSECRET1234567890"


class Failed(Exception):
    """A user's own error."""


def _holding(**attributes: Any) -> Failed:
    error = Failed("it failed")
    error.__dict__.update(attributes)
    return error


def _over_a_crash(error: Exception) -> Exception:
    told = msgspec.json.encode(error_facts(error, "e"))
    return error_of(msgspec.json.decode(told, type=ErrorFacts))


# --- Errors that cannot say what they are. -----------------------------------------------


def _raising(name: str) -> Exception:
    def fail(_: object) -> Any:
        raise RuntimeError("not ready")

    member: Any = fail if name == "__str__" else property(fail)
    return type("Raising", (Failed,), {name: member})("it failed")


class _Unnamed:
    def get_name(self) -> str:
        raise RuntimeError("no name")


def _cycle() -> dict[str, Any]:
    parent: dict[str, Any] = {"children": []}
    parent["children"] += [parent, parent]
    return parent


def _deep() -> list[Any]:
    made: list[Any] = []
    for _ in range(100_000):
        made = [made]
    return made


HARD: dict[str, Exception] = {
    "cycle": _holding(parent=_cycle()),
    "cycle in arguments": Failed(_cycle()),
    "deep": _holding(parent=_deep()),
    "notes that are no list": _holding(__notes__=5),
    "note without text": _holding(__notes__=[_raising("__str__")]),
    "name of a guardrail": _holding(guardrail=_Unnamed()),
    "huge number": _holding(number=10**4000),
    "half of a surrogate pair": Failed("\ud800"),
    "cause": ExceptionGroup("two", [_raising("args"), _holding(parent=_cycle())]),
    **{
        name: _raising(name)
        for name in ("__str__", "args", "output", "guardrail", "guardrail_result", "__cause__")
    },
}


@pytest.mark.parametrize("name", HARD)
def test_an_error_that_cannot_say_what_it_is_is_kept_with_its_class(name: str):
    facts = error_facts(HARD[name], "e")
    assert facts.kind == type(HARD[name]).__name__
    assert facts.message
    assert msgspec.json.decode(msgspec.json.encode(facts), type=ErrorFacts) == facts
    assert type(_over_a_crash(HARD[name])).__name__ == facts.kind


# --- Secrets. ----------------------------------------------------------------------------

NAMED = [
    {name: SECRET[3:]}
    for name in (
        "api_key", "pwd", "bearer", "token", "credential", "Cookie", "Authorization", "password",
        "client_secret",
    )
]  # fmt: skip
TEXTS = [
    SECRET, f"Bearer {SECRET[3:]}", f"Authorization: Basic {SECRET[3:]}", f"api_key={SECRET[3:]}",
    f'{{"password": "{SECRET[3:]}"}}', f"('X-Auth', '{SECRET[3:]}')", f"postgres://user:{SECRET[3:]}@host/db",
]  # fmt: skip


PAIRS = [("X-Api-Key", SECRET[3:]), (b"auth", SECRET[3:].encode())]


@pytest.mark.parametrize("held", [*NAMED, *PAIRS, *TEXTS], ids=str)
def test_no_secret_is_kept_at_any_depth(held: Any):
    errors = [
        _holding(value=held), _holding(value={"of": [{"it": (held,)}]}), Failed("it failed", held),
        Failed([held]), *([_holding(**held)] if isinstance(held, dict) else []),
    ]  # fmt: skip
    if isinstance(held, str):
        errors += [Failed(held), Failed(held.encode()), _holding(__notes__=[held])]
        errors += [UnicodeEncodeError("ascii", held, 0, 1, "bad")]
    behind = Failed("it failed")
    behind.__cause__ = errors[-1]
    told = msgspec.json.encode([error_facts(error, "e") for error in (*errors, behind)])
    assert SECRET[3:].encode() not in told


SECRET_NAMES = [
    "api_key",
    "apiKey",
    "APIKey",
    "OPENAI_API_KEY",
    "apikey",
    "token",
    "tokens",
    "access_token",
    "accessToken",
    "AccessTokenOf",
    "tokenValue",
    "token2",
    "client_secret",
    "clientSecret",
    "passwd",
    "userPassword",
    "dbPassword",
    "authToken",
    "X-Auth-Token",
    "Proxy-Authorization",
    "aws_credentials",
    "Set-Cookie",
    "jwt",
    "id_token",
    "privateKey",
    "private_key_pem",
    "authtoken",
]
OPEN_NAMES = [
    "author",
    "authors",
    "authority",
    "authored_by",
    "coauthor",
    "authorName",
    "keyboard",
    "KEYBOARD",
    "monkey",
    "MonkeyId",
    "turkey",
    "keyword",
    "tokenizer",
    "secretary",
    "passenger",
    "passage",
    "credits",
    "incredible",
    "sacred",
    "cookiecutter",
    "max_tokens",
    "total_tokens",
    "maxOutputTokens",
]


@pytest.mark.parametrize("name", SECRET_NAMES)
def test_a_name_with_the_word_of_a_secret_is_that_of_a_secret(name: str):
    assert is_secret_name(name)
    assert SECRET[3:] not in kept_text(f"{{'{name}': '{SECRET[3:]}'}}")


@pytest.mark.parametrize("name", OPEN_NAMES)
def test_a_name_that_holds_such_letters_in_another_word_is_kept(name: str):
    again: Any = _over_a_crash(_holding(**{name: "Ada Lovelace"}))
    assert getattr(again, name) == "Ada Lovelace"
    again = _over_a_crash(Failed({name: "Ada Lovelace"}))
    assert again.args == ({name: "Ada Lovelace"},)


def test_what_stands_beside_a_secret_is_kept():
    again: Any = _over_a_crash(_holding(config={"api_key": SECRET, "region": ("eu", 1)}))
    assert again.config == {"region": ("eu", 1)}
    again = _over_a_crash(Failed(f"refused with Bearer {SECRET} by eu"))
    assert str(again) == "refused with [redacted] by eu"


# --- Values. -----------------------------------------------------------------------------

VALUES: list[Any] = [
    (1, (2, [3, (4,)])), [(1, 2)], {"a": (1,)}, float("nan"), float("inf"), -float("inf"), -0.0,
    b"\xff", [b""], (), {}, {"$tuple": [1]}, {"$tuple": [1], "x": 2}, {"$bytes": "zz"},
    {"$bytes": "00"}, {"$float": "nan"}, {"$dict": {"$dict": 1}}, {"$dict": {}}, {"$": (1,)},
    True, None, "text", 2**63,
]  # fmt: skip


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_values_of_an_error_come_back_as_they_were(value: Any):
    again: Any = _over_a_crash(Failed("it failed", value))
    assert type(again) is Failed
    assert repr(again.args) == repr(("it failed", value))
    again = _over_a_crash(_holding(value=value))
    assert repr(getattr(again, "value", None)) == repr(value)


def test_values_that_an_earlier_version_has_kept_are_read():
    data = {"class": {}, "args": [{"$tuple": [1, [2]]}, {"$bytes": "ff"}, {"$bytes": "zz"}]}
    again = error_of(ErrorFacts("ValueError", "old", "e", data))
    assert again.args == ((1, [2]), b"\xff", {"$bytes": "zz"})
