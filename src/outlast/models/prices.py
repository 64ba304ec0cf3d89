"""What a model's tokens cost, by the price list of genai-prices."""

from __future__ import annotations

from functools import lru_cache
from typing import Any


def cost_of(
    model: str, input_tokens: int, output_tokens: int, cached_tokens: int = 0
) -> float | None:
    """US dollars for one model's tokens; None where the list does not know the model, or is not installed.

    Args:
        model: Its name, as a provider knows it, or with the provider and a slash before it.
        input_tokens: All that it read, those from a cache too.
        output_tokens: All that it wrote.
        cached_tokens: What of the input came from a cache.
    """
    priced = _prices()
    if priced is None or not model or model in _unknown:
        return None
    usage = priced.Usage(
        input_tokens=input_tokens, output_tokens=output_tokens, cache_read_tokens=cached_tokens
    )
    try:
        return float(priced.calc_price(usage, model_ref=model.rpartition("/")[2]).total_price)
    except (LookupError, ValueError):
        if len(_unknown) < _UNKNOWN_MAX:
            _unknown.add(model)
        return None


_UNKNOWN_MAX = 1000
_unknown: set[str] = set()


@lru_cache(maxsize=1)
def _prices() -> Any:
    try:
        import genai_prices
    except ImportError:
        return None
    return genai_prices
