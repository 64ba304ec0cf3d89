"""Arguments for a tool, and JSON for an output schema, out of what a conversation mentions.

A parameter's name, type, format and description say what kind of mention it takes. What nobody
has mentioned is looked for in what tools returned; what is then missing is missing: it is never
made up for a call, only (`instance`) for an output that has to fit its schema.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, cast

from holdfast.models.offline_text import (
    STOP,
    Mention,
    after,
    alike,
    clauses,
    is_negated,
    mentions,
    stem,
    stems,
    word_set,
    words,
)

Schema = dict[str, Any]

_ID = word_set("id ids number no code ref reference sku key uuid order ticket invoice")
_MONEY = word_set("amount price total cost refund fee sum usd eur value paid payment budget")
_TEXT = word_set(
    "query question input text message prompt content body topic request task instructions note "
    "subject search q"
)
_REASON = word_set("reason description comment issue problem details summary explanation")
_PROPER = word_set(
    "people person persons attendees participants guests customer author city country user member"
)
_DATE = word_set("date day when deadline until since due")
_FROM = word_set("from origin source departure start")
_TO = word_set("to destination target arrival recipient")
_BECOMES = ("to", "as", "into")
_PLACE = "in|at|near|for|to|from|of|about|called|named"


@dataclass(frozen=True)
class Source:
    """What arguments are taken from: a part of the conversation, and what tools returned."""

    text: str
    returned: tuple[Any, ...] = ()
    """What tools returned, parsed where it is JSON."""
    busy: frozenset[str] = frozenset()
    """Stems of the tool's own name: they say what to do, not with what."""
    nouns: frozenset[str] = frozenset()
    """Stems of every tool's parameters that are ids, to tell "ticket 7" from "order 7"."""
    earlier: str = ""
    """What was said before, for ids that the text leaves out."""
    outright: bool = False
    """Take only what the text says outright: an optional parameter is not guessed at."""

    @cached_property
    def mentioned(self) -> list[Mention]:
        """What the text mentions."""
        return mentions(self.text)

    def of_kind(self, *kinds: str) -> list[Mention]:
        """The mentions of some kinds, in order of appearance."""
        return [mention for mention in self.mentioned if mention.kind in kinds]

    def whole(self) -> str:
        """All of the text, where a guess is allowed."""
        return "" if self.outright else self.text.strip()

    def remark(self) -> str:
        """The clauses that tell rather than ask: no ids in them, and no word of the tool's."""
        telling = [
            clause
            for clause in clauses(self.text)
            if not any(m.kind in ("id", "number", "email") for m in mentions(clause))
            and not self.busy & set(stems(clause))
            and not clause.endswith("?")
            and len(stems(clause)) > 1
        ]
        return ", ".join(telling).rstrip(" .,;!")

    def looked_up(self, name: str) -> Any:
        """What a tool returned under ``name``, or under a name of the same sense; else None."""
        wanted = words(name)
        tests: list[Callable[[list[str]], bool]] = [lambda key: key == wanted]
        if _MONEY & set(wanted):
            tests.append(lambda key: bool(_MONEY & set(key)))
        if wanted[-1:] == ["id"]:
            tests.append(lambda key: key == ["id"])
        for test in tests:
            found = next((v for k, v in _pairs(self.returned) if test(words(k))), None)
            if found is not None:
                return found
        return None


@dataclass
class Filled:
    """What came of filling in a tool's parameters."""

    calls: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    """One mapping of arguments for each thing that the tool is to be called for."""
    missing: list[str] = field(default_factory=list[str])
    """Required parameters that nothing was found for; then there are no calls."""


def plain_schema(schema: Schema, root: Schema) -> tuple[Schema, bool]:
    """A schema without references and null alternatives, and whether it may be null."""
    reference = schema.get("$ref")
    if isinstance(reference, str) and reference.startswith("#/"):
        target: Any = root
        for step in reference[2:].split("/"):
            target = target.get(step, {})
        return plain_schema({**target, **{k: v for k, v in schema.items() if k != "$ref"}}, root)
    options: list[Schema] = schema.get("anyOf") or schema.get("oneOf") or schema.get("allOf") or []
    kinds: Any = schema.get("type")
    if isinstance(kinds, list):
        options = [
            {**schema, "type": kind} for kind in cast("list[str]", kinds)
        ]  # JSON schema says so
    if not options:
        return schema, kinds == "null"
    real = [option for option in options if option.get("type") != "null"]
    if not real:
        return {"type": "null"}, True
    chosen, nullable = plain_schema(real[0], root)
    return {**schema, "anyOf": None, "oneOf": None, "allOf": None, **chosen}, (
        nullable or len(real) < len(options)
    )


def filled(schema: Schema, source: Source) -> Filled:
    """Arguments for a tool with ``schema``, one mapping per thing that the text is about."""
    found: dict[str, list[Any]] = {}
    singles: set[str] = set()
    result = Filled()
    properties: dict[str, Schema] = schema.get("properties") or {}
    taken: dict[str, int] = {}
    choices = {str(o).lower() for sub in properties.values() for o in _options(sub, schema)}
    kinds = [_kind(name, plain_schema(sub, schema)[0]) for name, sub in properties.items()]
    for (name, raw), kind in zip(properties.items(), kinds, strict=True):
        sub, nullable = plain_schema(raw, schema)
        required = name in schema.get("required", ())
        guessed = required and not nullable and "default" not in raw
        values = _candidates(name, sub, replace(source, outright=not guessed), schema)
        if kind == "name":  # "in Rome in Celsius": what another parameter chooses is no city
            values = [value for value in values if str(value).lower() not in choices]
        if kinds.count(kind) > 1 and kind in ("id", "number", "money", "name", "date", "email"):
            place = taken.get(kind, 0)  # "add 2 and 3": the first number, then the second
            taken[kind] = place + 1
            values = values[place : place + 1]
            singles.add(name)
        if values:
            found[name] = values
        elif guessed:
            result.missing.append(name)
        elif required:
            found[name] = [raw.get("default")]
    if not result.missing:
        result.calls = _spread(found, dict(zip(properties, kinds, strict=True)), singles)
    return result


def _options(raw: Schema, root: Schema) -> list[Any]:
    return plain_schema(raw, root)[0].get("enum") or []


def _spread(
    found: dict[str, list[Any]], kinds: dict[str, str], singles: set[str]
) -> list[dict[str, Any]]:
    """One call for each value of the parameter that says what the call is about."""
    about = ("id", "email", "url", "name", "enum", "number", "date", "text")
    subjects = [n for n in found if n not in singles and len(found[n]) > 1 and kinds[n] in about]
    subjects.sort(key=lambda name: about.index(kinds[name]))
    count = len(found[subjects[0]]) if subjects else 1
    return [
        {name: values[i] if len(values) == count else values[0] for name, values in found.items()}
        for i in range(count)
    ]


def _kind(name: str, schema: Schema) -> str:  # noqa: C901, PLR0911, PLR0912 (a table, in code)
    said = set(words(name))
    shape, form = schema.get("type"), str(schema.get("format", ""))
    if schema.get("enum") or "const" in schema:
        return "enum"
    if shape in ("boolean", "array", "object"):
        return str(shape)
    is_id = words(name)[-1:] and words(name)[-1] in _ID
    if shape in ("integer", "number"):
        if said & _MONEY:
            return "money"
        return "id" if is_id and name != "number" else "number"
    if said & _FROM or said & _TO:
        return "from" if said & _FROM else "to"
    for kind, forms in (("email", "email"), ("url", "uri url link"), ("date", "date date-time")):
        if form in forms.split() or said & set(forms.split()):
            return kind
    if said & _DATE:
        return "date"
    if is_id:
        return "id"
    for kind, names in (("money", _MONEY), ("reason", _REASON), ("text", _TEXT)):
        if said & names:
            return kind
    return "name"


def _candidates(name: str, schema: Schema, source: Source, root: Schema) -> list[Any]:
    kind = _kind(name, schema)
    match kind:
        case "enum":
            return _choices(schema, source)
        case "boolean":
            return _truth(name, source)
        case "array":
            items = plain_schema(schema.get("items") or {"type": "string"}, root)[0]
            if items.get("type") == "object":
                return [calls] if (calls := filled({**root, **items}, source).calls) else []
            entries = _candidates(name.removesuffix("s"), items, source, root)
            return [entries] if entries else []
        case "object":
            return filled({**root, **schema}, source).calls
        case "reason":
            text = _quoted(source) or source.remark() or source.whole()
            return [text] if text else []
        case "text":
            # Another agent ("input") has to be told what to do with the quoted words.
            text = "" if name == "input" else _quoted(source)
            return [text] if (text := text or source.whole()) else []
        case _:
            return (
                _typed(_mentioned(name, kind, source), schema)
                or _typed([source.looked_up(name)], schema)
                or _typed(_earlier(name, kind, source), schema)
            )


def _mentioned(name: str, kind: str, source: Source) -> list[Any]:
    if kind == "id":
        return _ids(name, source)
    if kind == "money":
        found = source.of_kind("money") or (
            [m for m in source.of_kind("number") if alike(m.label, stem(words(name)[-1]))]
        )
        return [m.number if m.number is not None else m.text for m in found]
    if kind in ("from", "to"):
        addressed = [m.text for m in source.of_kind("email")] if kind == "to" else []
        return addressed or after(source.text, kind)[:1]
    if kind == "number":
        return [m.number for m in source.of_kind("number", "money")]
    if kind == "name":
        return _named(name, source)
    return [m.text for m in source.of_kind(kind)]


def _earlier(name: str, kind: str, source: Source) -> list[Any]:
    """The last that was mentioned before: "and refund it" is about the order just spoken of."""
    if kind != "id" or not source.earlier:
        return []
    return _ids(name, Source(source.earlier, nouns=source.nouns))[-1:]


def _ids(name: str, source: Source) -> list[str]:
    own = {stem(word) for word in words(name)}
    found = source.of_kind("id") or _numbers(own, source)
    foreign = source.nouns - own
    mine = [m for m in found if not any(alike(m.label, noun) for noun in foreign)]
    # "Change order A-1 to size 12C": what something is to become is not what it is.
    mine = [m for m in mine if m.label not in _BECOMES] or mine
    return list(dict.fromkeys(m.text for m in mine))


def _numbers(own: set[str], source: Source) -> list[Mention]:
    """Bare numbers that are ids: long, or named ("ticket 7"), or listed after one that is."""
    found: list[Mention] = []
    for mention in source.of_kind("number"):
        named = any(alike(mention.label, word) for word in own | source.busy)
        listed = found and mention.label in ("and", "or", *(m.text for m in found))
        if named or listed or len(mention.text) > 2:  # noqa: PLR2004 (short numbers are counts)
            found.append(mention)
    return found


def _named(name: str, source: Source) -> list[str]:
    said = set(words(name))
    labelled = [m for m in source.of_kind("id") if any(alike(m.label, stem(w)) for w in said)]
    quotes, names = source.of_kind("quote"), source.of_kind("name")
    for found in (labelled, names if said & _PROPER else quotes, quotes, names):
        if found:
            return list(dict.fromkeys(m.text for m in found))
    if becoming := [m.text for m in source.of_kind("id") if m.label in _BECOMES]:
        return becoming
    if source.outright:
        return []
    if found := after(source.text, _PLACE):
        return found
    busy = source.busy | {stem(word) for word in said}
    rest = [
        word
        for word in re.findall(r"[^\W_]+", source.text)
        if word.lower() not in STOP and not any(alike(stem(word.lower()), b) for b in busy)
    ]
    return [" ".join(rest)] if rest else []


def _choices(schema: Schema, source: Source) -> list[Any]:
    said = stems(source.text)
    options: list[Any] = schema.get("enum") or [schema["const"]]
    if len(options) == 1:
        return options
    named = [
        option
        for option in options
        if (parts := [stem(word) for word in words(str(option))])
        and all(any(alike(part, word) for word in said) for part in parts)
    ]
    open_ended = [o for o in options if str(o).lower() in ("other", "unknown", "general", "none")]
    if named or source.outright:
        return named
    return open_ended[:1] or options[:1]


def _truth(name: str, source: Source) -> list[Any]:
    said = stems(source.text)
    for word in (stem(w) for w in words(name) if w not in STOP and w != "is"):
        if any(alike(word, other) for other in said):
            return [not is_negated(source.text, word)]
    return [] if source.outright else [False]


def _quoted(source: Source) -> str:
    quotes = source.of_kind("quote")
    return quotes[0].text if quotes else ""


def _typed(values: list[Any], schema: Schema) -> list[Any]:
    """Those of ``values`` that the schema's type can take, in that type."""
    made: list[Any] = []
    for value in values:
        match schema.get("type"):
            case "integer" | "number" as shape:
                digits = re.fullmatch(r"\s*-?\d+(?:\.\d+)?\s*", str(value))
                if digits is None or isinstance(value, bool):
                    continue
                number = float(digits[0])
                whole = number.is_integer() and (shape == "integer" or isinstance(value, int))
                made.append(int(number) if whole else number)
            case _:
                if value is not None and not isinstance(value, dict | list):
                    made.append(str(value))
    return [v for v in made if not (schema.get("type") == "integer" and isinstance(v, float))]


def _pairs(values: tuple[Any, ...] | list[Any]) -> list[tuple[str, Any]]:
    """Every key and value in parsed JSON, outer ones first."""
    found: list[tuple[str, Any]] = []
    inner: list[Any] = []
    for value in values:
        if isinstance(value, dict):
            pairs: dict[str, Any] = value  # pyright: ignore[reportUnknownVariableType]  parsed JSON
            found += pairs.items()
            inner += pairs.values()
        elif isinstance(value, list):
            inner += value
    return found + _pairs(inner) if inner else found


def instance(
    schema: Schema, source: Source, prose: str, name: str = "", root: Schema | None = None
) -> Any:
    """A value that fits ``schema``, from what is known where it can be, else the least that fits.

    Args:
        schema: JSON schema of the output.
        source: What the conversation and the tools said.
        prose: What a text without a better source says.
        name: The property that the value is for.
        root: Where references point to; the schema itself at first.
    """
    root = schema if root is None else root
    sub, nullable = plain_schema(schema, root)
    match sub.get("type"):
        case "object":
            known: dict[str, Schema] = sub.get("properties") or {}
            return {key: instance(part, source, prose, key, root) for key, part in known.items()}
        case "array":
            return _several(sub, source, prose, name, root)
        case "null":
            return None
        case _:
            pass
    kind = _kind(name, sub)
    returned = _typed([source.looked_up(name)], sub) if name and kind != "enum" else []
    values = returned or (
        [] if kind in ("text", "reason") else _candidates(name, sub, source, root)
    )
    if not values and nullable:
        return None
    return _bounded(values[0] if values else None, sub, prose)


def _several(sub: Schema, source: Source, prose: str, name: str, root: Schema) -> list[Any]:
    items: Schema = sub.get("items") or {"type": "string"}
    least = max(int(sub.get("minItems", 0)), 1)
    flat = plain_schema(items, root)[0]
    found: list[Any] = []
    if flat.get("type") not in ("object", "array"):
        found = [
            _bounded(value, flat, prose)
            for value in _candidates(name.removesuffix("s"), flat, source, root)
        ]
    while len(found) < least:
        found.append(instance(items, source, prose, name.removesuffix("s"), root))
    return found[: int(sub.get("maxItems", len(found)))]


def _bounded(value: Any, sub: Schema, prose: str) -> Any:
    match sub.get("type"):
        case "integer" | "number":
            return _in_range(0 if value is None else value, sub)
        case "boolean":
            return bool(value)
        case "string" if not sub.get("enum") and "const" not in sub:
            return _fitting(value, sub, prose)
        case _:
            return value


def _in_range(value: float, sub: Schema) -> float:
    step = 1 if sub.get("type") == "integer" else 0.5
    low = sub.get("minimum", sub.get("exclusiveMinimum", value))
    high = sub.get("maximum", sub.get("exclusiveMaximum", value))
    low += step if low == sub.get("exclusiveMinimum") else 0
    high -= step if high == sub.get("exclusiveMaximum") else 0
    return min(max(value, low), max(low, high))


def _fitting(value: Any, sub: Schema, prose: str) -> str:
    forms = {
        "date": "1970-01-01",
        "date-time": "1970-01-01T00:00:00Z",
        "time": "00:00:00",
        "email": "nobody@example.com",
        "uri": "https://example.com",
        "uuid": "00000000-0000-0000-0000-000000000000",
    }
    text = str(value) if value is not None else forms.get(str(sub.get("format")), prose)
    text = text.ljust(int(sub.get("minLength", 0)), ".")
    return text[: int(sub.get("maxLength", len(text)))]
