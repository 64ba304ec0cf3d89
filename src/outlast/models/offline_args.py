"""Arguments for a tool, and JSON for an output schema, out of what a conversation mentions.

A parameter's name, type and format say what kind of mention it takes. What nobody has mentioned
is looked for in what tools returned; what is then missing is missing: it is never made up for a
call, only (`instance`) for an output that has to fit its schema.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple, cast

from outlast.models.offline_text import (
    STOP,
    Mention,
    after,
    alike,
    clauses,
    is_negated,
    meet,
    mentions,
    stem,
    stems,
    word_set,
    words,
)

Schema = dict[str, Any]

_MONEY = word_set("amount price total cost refund fee sum usd eur value paid payment budget")
_ID = word_set("id ids number no code ref reference sku key uuid order ticket invoice")
# What a text parameter takes, by a word of its name or its format; the first that fits.
_KINDS = (
    ("from", word_set("from origin source departure start")),
    ("to", word_set("to destination target arrival recipient")),
    ("email", word_set("email")),
    ("url", word_set("uri url link")),
    ("date", word_set("date day when deadline until since due")),
    ("id", _ID),
    ("money", _MONEY),
    ("reason", word_set("reason description comment issue problem details summary explanation")),
    (
        "text",
        word_set(
            "query question input text message prompt content body topic request task "
            "instructions note subject search q"
        ),
    ),
)
_PROPER = word_set(
    "people person persons attendees participants guests customer author city country user member"
)
_FILE = re.compile(r"[/~.]{0,3}(?:[\w-]+[./\\])+[A-Za-z][\w-]+")
"""A name with an ending, or a path."""
_WORD = re.compile(r"[^\W_]+(?:[-_][^\W_]+)*")
_PLACE = "in|at|near|for|to|from|of|about|called|named"
_ABOUT = ("id", "email", "url", "name", "enum", "number", "date", "text")
"""Kinds that say what a call is about, the surest first."""
_IN_TURN = ("id", "number", "money", "name", "date", "email")
"""Kinds of which two parameters take one mention each: "add 2 and 3"."""
_EXAMPLES = {
    "date": "1970-01-01",
    "date-time": "1970-01-01T00:00:00Z",
    "time": "00:00:00",
    "email": "nobody@example.com",
    "uri": "https://example.com",
    "uuid": "00000000-0000-0000-0000-000000000000",
}


DEEPEST = 4
"""In as many objects and lists may lie what is filled in."""
LONGEST_WAY = 20
"""As many alternatives are followed, each within the last."""


_NONE: Any = object()


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
    depth: int = 0
    """In how many objects the value lies. A schema may lead back to itself."""

    @property
    def inside(self) -> Source:
        """The same, for the parts of an object."""
        return replace(self, depth=self.depth + 1)

    @cached_property
    def mentioned(self) -> list[Mention]:
        """What the text mentions."""
        return mentions(self.text)

    def of_kind(self, *kinds: str) -> list[Mention]:
        """The mentions of some kinds, in order of appearance."""
        return [mention for mention in self.mentioned if mention.kind in kinds]

    def whole(self) -> list[str]:
        """All of the text, where a guess is allowed."""
        text = self.text.strip()
        return [] if self.outright or not text else [text]

    def remark(self) -> list[str]:
        """The clauses that tell rather than ask: no ids in them, and no word of the tool's."""
        telling = [
            clause
            for clause in clauses(self.text)
            if not any(m.kind in ("id", "number", "email") for m in mentions(clause))
            and self.busy.isdisjoint(stems(clause))
            and not clause.endswith("?")
            and len(stems(clause)) > 1
        ]
        return [", ".join(telling).rstrip(" .,;!")] if telling else []

    def looked_up(self, name: str) -> list[Any]:
        """What tools returned under ``name``, then under a name of the same sense."""
        wanted, pairs = words(name), _pairs(self.returned)
        same = [value for key, value in pairs if words(key) == wanted]
        if not _MONEY.isdisjoint(wanted):
            same += [value for key, value in pairs if not _MONEY.isdisjoint(words(key))]
        if wanted[-1:] == ["id"]:
            same += [value for key, value in pairs if words(key) == ["id"]]
        return same[:1]


class Filled(NamedTuple):
    """What came of filling in a tool's parameters."""

    calls: list[dict[str, Any]]
    """One mapping of arguments for each thing that the tool is to be called for."""
    missing: list[str]
    """Required parameters that nothing was found for; then there are no calls."""


def filled(schema: Schema, source: Source) -> Filled:
    """Arguments for a tool with ``schema``, one mapping per thing that the text is about."""
    properties: dict[str, Schema] = schema.get("properties") or {}
    if source.depth > DEEPEST:
        return Filled([], [*properties])
    plain = {name: _plain_schema(raw, schema) for name, raw in properties.items()}
    kinds = {name: _kind(name, sub) for name, (sub, _) in plain.items()}
    choices = {str(o).lower() for sub, _ in plain.values() for o in sub.get("enum") or ()}
    found: dict[str, list[Any]] = {}
    missing: list[str] = []
    in_turn: list[str] = []
    for name, (sub, nullable) in plain.items():
        kind, required = kinds[name], name in schema.get("required", ())
        default = sub.get("default", _NONE)
        guessed = required and not nullable and default is _NONE
        values = _candidates(name, sub, replace(source, outright=not guessed), schema)
        if kind == "name":  # "in Rome in Celsius": what another parameter chooses is no city
            values = [value for value in values if str(value).lower() not in choices]
        if kind in _IN_TURN and list(kinds.values()).count(kind) > 1:
            turn = sum(kinds[other] == kind for other in in_turn)
            values = values[turn : turn + 1]
            in_turn.append(name)
        if values:
            found[name] = values
        elif guessed:
            missing.append(name)
        elif required:
            found[name] = [None if default is _NONE else default]
    if missing:
        return Filled([], missing)
    about = [n for n in found if kinds[n] in _ABOUT and n not in in_turn and len(found[n]) > 1]
    subject = min(about, key=lambda name: _ABOUT.index(kinds[name]), default=None)
    count = 1 if subject is None else len(found[subject])
    calls = [
        {name: values[i if len(values) == count else 0] for name, values in found.items()}
        for i in range(count)
    ]
    return Filled(calls, missing)


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
    root = root or schema
    sub, nullable = _plain_schema(schema, root)
    kind = _kind(name, sub)
    if source.depth > DEEPEST and kind in ("object", "array"):
        return None if nullable else {} if kind == "object" else []
    if kind == "object":
        source = source.inside
        known: dict[str, Schema] = sub.get("properties") or {}
        return {key: instance(part, source, prose, key, root) for key, part in known.items()}
    if kind == "array":
        one = name.removesuffix("s")
        items, _ = _plain_schema(sub.get("items") or {"type": "string"}, root)
        is_plain = items.get("type") not in ("object", "array")
        values = _candidates(one, items, source, root) if is_plain else []
        entries = [_fitting(value, items, prose) for value in values]
        least = 1 if source.depth < DEEPEST else 0
        while len(entries) < max(int(sub.get("minItems", 0)), least):
            entries.append(instance(items, source.inside, prose, one, root))
        return entries[: int(sub.get("maxItems", len(entries)))]
    values = [] if kind == "enum" or not name else _typed(source.looked_up(name), sub)
    if kind not in ("text", "reason"):
        values += _candidates(name, sub, source, root)
    if not values and nullable:
        return None
    return _fitting(values[0] if values else None, sub, prose)


def _plain_schema(schema: object, root: Schema, way: int = 0) -> tuple[Schema, bool]:
    """A schema without references and alternatives, and whether it may be null.

    What is no schema, or leads back to itself, is one that says nothing: servers of others write them.
    """
    if not isinstance(schema, dict) or way > LONGEST_WAY:
        return {}, False
    schema = _resolved(cast("Schema", schema), root)
    if not isinstance(schema.get("enum", []), list):
        schema = {**schema, "enum": None}
    several: Any = schema.get("anyOf") or schema.get("oneOf") or schema.get("allOf") or []
    options: list[Schema] = [each for each in several if isinstance(each, dict)]
    kinds: Any = schema.get("type")
    if isinstance(kinds, list):
        options = [{"type": kind} for kind in cast("list[str]", kinds)]  # JSON schema says so
    if not options:
        return schema, kinds == "null"
    real = [option for option in options if option.get("type") != "null"] or [{"type": "null"}]
    chosen, nullable = _plain_schema(real[0], root, way + 1)
    merged = {**schema, "anyOf": None, "oneOf": None, "allOf": None, **chosen}
    return merged, nullable or len(real) < len(options)


def _resolved(schema: Schema, root: Schema) -> Schema:
    """A schema with what it refers to in place of the reference; one that leads back says nothing."""
    seen = set[str]()
    while isinstance(reference := schema.get("$ref"), str):
        own = {name: part for name, part in schema.items() if name != "$ref"}
        if reference in seen or not reference.startswith("#/"):
            return own
        seen.add(reference)
        target: Any = root
        for step in reference[2:].split("/"):
            target = cast("Schema", target).get(step) if isinstance(target, dict) else None
        schema = {**target, **own} if isinstance(target, dict) else own
    return schema


def _kind(name: str, schema: Schema) -> str:
    """What a parameter of that name and plain schema takes."""
    shape, said = schema.get("type"), words(name)
    if schema.get("enum") or "const" in schema:
        return "enum"
    if shape in ("boolean", "array", "object"):
        return str(shape)
    if shape in ("integer", "number"):
        if not _MONEY.isdisjoint(said):
            return "money"
        return "id" if name != "number" and not _ID.isdisjoint(said[-1:]) else "number"
    form = str(schema.get("format", "")).partition("-")[0]
    for kind, names in _KINDS:
        if not names.isdisjoint(said[-1:] if kind == "id" else (*said, form)):
            return kind
    return "name"


def _candidates(name: str, schema: Schema, source: Source, root: Schema) -> list[Any]:
    """What the parameter could be, the likeliest first."""
    match _kind(name, schema):
        case "enum":
            return _choices(schema, source)
        case "boolean":
            return _truth(name, source)
        case "array":
            inner = schema.get("items") if source.depth < DEEPEST else None
            items, _ = _plain_schema(inner or {"type": "string"}, root)
            if items.get("type") == "object":
                entries = filled({**root, **items}, source.inside).calls
            else:
                entries = _candidates(name.removesuffix("s"), items, source.inside, root)
            return [entries] if entries else []
        case "object":
            return filled({**root, **schema}, source.inside).calls
        case "reason":
            return _quotes(source) or source.remark() or source.whole()
        case "text":
            # Another agent ("input") has to be told what to do with the quoted words.
            return (name != "input" and _quotes(source)) or source.whole()
        case "id":
            before = Source(source.earlier, nouns=source.nouns)
            # "And refund it" is about the last one that was spoken of.
            tries = (_ids(name, source), source.looked_up(name), _ids(name, before)[-1:])
        case kind:
            tries = (_mentioned(name, kind, source), source.looked_up(name))
    return next(filter(None, (_typed(values, schema) for values in tries)), list[Any]())


def _mentioned(name: str, kind: str, source: Source) -> list[Any]:
    match kind:
        case "money":
            noun = stem(words(name)[-1])
            named = [m for m in source.of_kind("number") if alike(m.label, noun)]
            return [m.number for m in source.of_kind("money") or named]
        case "number":
            return [m.number for m in source.of_kind("number", "money")]
        case "from" | "to":
            addressed = [m.text for m in source.of_kind("email")] if kind == "to" else []
            return addressed or after(source.text, kind)[:1]
        case "name":
            return _named(name, source)
        case _:
            return [m.text for m in source.of_kind(kind)]


def _ids(name: str, source: Source) -> list[str]:
    own = {stem(word) for word in words(name)}
    found = source.of_kind("id") or _numbers(own, source)
    foreign = source.nouns - own
    return list(dict.fromkeys(m.text for m in found if not meet([m.label], foreign)))


def _numbers(own: set[str], source: Source) -> list[Mention]:
    """Bare numbers that are ids: long, or named ("ticket 7"), or listed after one that is."""
    found: list[Mention] = []
    for mention in source.of_kind("number"):
        named = meet([mention.label], own | source.busy)
        listed = found and mention.label in ("and", "or", *(m.text for m in found))
        if named or listed or len(mention.text) > 2:  # noqa: PLR2004 (short numbers are counts)
            found.append(mention)
    return found


def _named(name: str, source: Source) -> list[str]:
    said = {stem(word) for word in words(name)}
    labelled = [m for m in source.of_kind("id") if meet([m.label], said)]
    quotes, names = source.of_kind("quote"), source.of_kind("name")
    proper = not _PROPER.isdisjoint(words(name))
    if marked := labelled or (names if proper else quotes) or quotes:
        return list(dict.fromkeys(m.text for m in marked))
    files: list[str] = _FILE.findall(source.text)
    if found := ([] if proper else files) or [m.text for m in names]:
        return list(dict.fromkeys(found))
    if source.outright:
        return []
    rest = [
        word
        for word in _WORD.findall(source.text)
        if word.lower() not in STOP and not meet([stem(word.lower())], source.busy | said)
    ]
    return after(source.text, _PLACE) or ([" ".join(rest)] if rest else [])


def _choices(schema: Schema, source: Source) -> list[Any]:
    said = stems(source.text)
    options: list[Any] = schema.get("enum") or [schema["const"]]
    named = [
        option
        for option in options
        if (parts := words(str(option))) and all(meet([stem(part)], said) for part in parts)
    ]
    if named or source.outright:
        return named
    open_ended = [o for o in options if str(o).lower() in ("other", "unknown", "general", "none")]
    return open_ended[:1] or options[:1]


def _truth(name: str, source: Source) -> list[Any]:
    for word in stems(name):
        if meet([word], stems(source.text)):
            return [not is_negated(source.text, word)]
    return [] if source.outright else [False]


def _quotes(source: Source) -> list[str]:
    return [mention.text for mention in source.of_kind("quote")[:1]]


def _typed(values: list[Any], schema: Schema) -> list[Any]:
    """Those of ``values`` that the schema's type can take, in that type."""
    plain = [v for v in values if v is not None and not isinstance(v, dict | list)]
    shape = schema.get("type")
    if shape not in ("integer", "number"):
        return [str(value) for value in plain]
    made: list[Any] = []
    for digits in (str(value).strip() for value in plain):
        if re.fullmatch(r"-?\d+(?:\.0+)?" if shape == "integer" else r"-?\d+", digits):
            made.append(int(float(digits)))
        elif shape == "number" and re.fullmatch(r"-?\d+\.\d+", digits):
            made.append(float(digits))
    return made


def _pairs(values: tuple[Any, ...] | list[Any]) -> list[tuple[str, Any]]:
    """Every key and value in parsed JSON, outer ones first."""
    found: list[tuple[str, Any]] = []
    inner: list[Any] = []
    for value in values:
        if isinstance(value, dict):
            pairs: dict[str, Any] = value  # pyright: ignore[reportUnknownVariableType]  parsed JSON
            found += [(key, each) for key, each in pairs.items() if each is not None]
            inner += pairs.values()
        elif isinstance(value, list):
            inner += value
    return found + _pairs(inner) if inner else found


def _fitting(value: Any, sub: Schema, prose: str) -> Any:
    """``value`` brought into the bounds of a plain schema; the least that fits for None."""
    match sub.get("type"):
        case "integer" | "number" as shape:
            return _in_range(value or 0, sub, 1 if shape == "integer" else 0.5)
        case "boolean":
            return bool(value)
        case "string" if not sub.get("enum") and "const" not in sub:
            text = _EXAMPLES.get(sub.get("format", ""), prose) if value is None else str(value)
            text = text.ljust(int(sub.get("minLength", 0)), ".")
            return text[: int(sub.get("maxLength", len(text)))]
        case _:
            return value


def _in_range(value: float, sub: Schema, step: float) -> float:
    low, above = sub.get("minimum", value), sub.get("exclusiveMinimum")
    high, below = sub.get("maximum", value), sub.get("exclusiveMaximum")
    low = low if above is None else above + step
    high = high if below is None else below - step
    return min(max(value, low), max(low, high))
