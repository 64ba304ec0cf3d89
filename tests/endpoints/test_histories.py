"""Whatever is missing from a session, the libraries send what a provider takes."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import pytest
from tests.endpoints.conftest import Endpoint, Way
from tests.sessions.test_any_history import Conversation, steps, without

from outlast import Model
from outlast.testing.provider import ScriptedProvider

pytestmark = [
    pytest.mark.endpoints,
    # LiteLLM and any-llm use what others have deprecated.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]


class Elsewhere(Conversation):
    """The same conversation, which goes on by way of a library."""

    def __init__(self, provider: Any, way: Way) -> None:
        super().__init__(provider)
        self._endpoint, self._way = Endpoint(provider.base_url, "key"), way

    def model(self, api: str) -> Model:
        return super().model(api) if api == "responses" else self._way(self._endpoint, "gpt-5")


def parts(items: list[Any]) -> Iterator[list[Any]]:
    """What may be left of a conversation."""
    places = range(len(items))
    for place in places:
        yield without(items, [place])
        yield items[place:]
        yield items[:place]
        yield [*items[: place + 1], *items[place:]]
        yield [*items[:place], *reversed(items[place : place + 2]), *items[place + 2 :]]
    for both in itertools.combinations(places, 2):
        yield without(items, both)


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("way", ["litellm", "any-llm chat", "any-llm responses"], indirect=True)
async def test_whatever_is_missing_the_next_run_is_valid(way: Way, *, streamed: bool):
    async with ScriptedProvider(itertools.islice(steps(), 2000)) as provider:
        known = Elsewhere(provider, way)
        await known.record()
        for items in itertools.islice(parts(known.items), 0, None, 3 if streamed else 1):
            await known.goes_on("library", items, streamed=streamed)
