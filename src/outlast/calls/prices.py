"""What models cost: a dated table, and another one in its place where somebody has one.

The table of `genai-prices` knows the public models and since when each price holds. A `PriceTable` of
your own comes first, and may be a JSON file:

    {"prices": [{"model": "my-model", "since": "2026-01-01", "input": 3.0, "output": 15.0}]}
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any, cast

import msgspec

from outlast.core.budgets import NANO
from outlast.core.errors import UserError, WrongType
from outlast.core.events import UsageFacts
from outlast.definitions.clock import utc
from outlast.definitions.given import check_number

_MILLION = 1_000_000
_OFFLINE = "offline"
"""The stand-in for a model: nobody is paid for it, unless a table of one's own says so."""


class Price(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a million tokens of a model cost, in dollars.

    Attributes:
        model: The model's name, as an agent has it.
        since: The day (of UTC) from which on it holds.
        input: For what the model reads.
        output: For what it writes, reasoning included.
        cached_input: For what it reads from a cache; None: as the rest of the input.
        cache_write: For what it writes into a cache; None: as the rest of the input.
    """

    model: str
    input: float
    output: float
    since: date = date.min
    cached_input: float | None = None
    cache_write: float | None = None

    def __post_init__(self) -> None:
        """Refuse what would be a TypeError in the middle of a run.

        Raises:
            WrongType: A price is no number, the model no text, or the day no date.
            WrongValue: A price is below 0.
        """
        if not isinstance(self.model, str):  # pyright: ignore[reportUnnecessaryIsInstance]  # anybody's
            raise WrongType(f"Price(model=...) must be a model's name, got {self.model!r:.40}.")
        if not isinstance(self.since, date):  # pyright: ignore[reportUnnecessaryIsInstance]  # anybody's
            raise WrongType(
                f"Price(since=...) must be a date such as date(2026, 1, 1), got {self.since!r:.40}."
            )
        for name in ("input", "output", "cached_input", "cache_write"):
            value = getattr(self, name)
            if value is not None or name in ("input", "output"):
                check_number(f"Price({name}=...)", value)


class _File(msgspec.Struct, frozen=True):
    prices: list[Price]


class PriceTable:
    """Prices of models by the day on which a call is made."""

    def __init__(self, prices: Iterable[Price] = (), *, knows_public: bool = True) -> None:
        """``knows_public``: ask the table of `genai-prices` for models that are not among ``prices``."""
        given: Any = prices
        is_many = isinstance(given, Iterable) and not isinstance(given, str | Mapping)
        kept: list[Any] = list(cast("Iterable[Any]", given)) if is_many else []
        if not is_many or not all(isinstance(each, Price) for each in kept):
            raise WrongType(
                f"PriceTable takes a list of Price(...), got {prices!r:.40}. The path of a file is for "
                "PriceTable.from_file."
            )
        self._prices: dict[str, list[Price]] = {}
        self._knows_public = knows_public
        for price in sorted(kept, key=lambda each: each.since, reverse=True):
            self._prices.setdefault(price.model, []).append(price)

    @classmethod
    def from_file(cls, path: str | Path) -> PriceTable:
        """The table in a JSON file, before the public one.

        Raises:
            UserError: There is no such file, or it holds something else.
        """
        try:
            return cls(msgspec.json.decode(Path(path).read_bytes(), type=_File).prices)
        except (OSError, msgspec.DecodeError) as error:
            raise UserError(
                f"No prices can be read from {str(path)!r}: {error}. Expected JSON such as "
                '{"prices": [{"model": "my-model", "input": 3.0, "output": 15.0}]}.'
            ) from error

    def cost(self, model: str, usage: UsageFacts, at: float) -> int | None:
        """What a call costs, in billionths of a dollar; None where no price is known."""
        day = utc(at).date()
        for price in self._prices.get(model, ()):
            if price.since <= day:
                return _cost(price, usage)
        if model == _OFFLINE:
            return 0
        return _public_cost(model, usage, at) if self._knows_public else None


def _cost(price: Price, usage: UsageFacts) -> int:
    cached, written = usage.cached_tokens, usage.cache_write_tokens
    plain = max(0, usage.input_tokens - cached - written)
    cached_at = price.input if price.cached_input is None else price.cached_input
    write_at = price.input if price.cache_write is None else price.cache_write
    dollars = (
        plain * price.input
        + cached * cached_at
        + written * write_at
        + usage.output_tokens * price.output
    )
    return round(dollars * NANO / _MILLION)


def _public_cost(model: str, usage: UsageFacts, at: float) -> int | None:
    try:
        from genai_prices import Usage, calc_price
    except ImportError:
        return None
    provider, _, name = model.rpartition("/")
    counted = Usage(
        input_tokens=usage.input_tokens,
        cache_read_tokens=usage.cached_tokens or None,
        cache_write_tokens=usage.cache_write_tokens or None,
        output_tokens=usage.output_tokens,
    )
    when = utc(at)
    for provider_id in dict.fromkeys((provider.partition("/")[0] or None, None)):
        try:
            found = calc_price(counted, name, provider_id=provider_id, genai_request_timestamp=when)
        except (LookupError, ValueError):
            continue
        return int(found.total_price * NANO)
    return None


def table_of(prices: object) -> PriceTable:
    """The table that a setting means: one, the path of one, or None for the public one.

    Raises:
        UserError: It is something else.
    """
    if prices is None:
        return _public()
    if isinstance(prices, PriceTable):
        return prices
    if isinstance(prices, str | Path):
        return PriceTable.from_file(prices)
    raise UserError(
        f"RunConfig(prices=...) takes a PriceTable or the path of one, got {type(prices).__name__}."
    )


@cache
def _public() -> PriceTable:
    return PriceTable()
