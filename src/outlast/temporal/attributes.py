"""What Temporal can search runs by: search attributes, of a namespace that has them.

    temporal operator search-attribute create --name OutlastAgent --type Keyword ...

A namespace that lacks one of them gets none: a workflow that says one that is unknown stands still.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import ListSearchAttributesRequest
from temporalio.common import (
    SearchAttributeKey,
    SearchAttributePair,
    SearchAttributeUpdate,
    TypedSearchAttributes,
)
from temporalio.service import RPCError

from outlast.core.budgets import NANO
from outlast.core.state import RunState
from outlast.views.status import status

if TYPE_CHECKING:  # The workflow's sandbox imports this, and wants no client.
    from temporalio.client import Client

_AGENT = SearchAttributeKey.for_keyword("OutlastAgent")
_STATUS = SearchAttributeKey.for_keyword("OutlastStatus")
_SESSION = SearchAttributeKey.for_keyword("OutlastSession")
_WAITING = SearchAttributeKey.for_bool("OutlastWaiting")
_TOKENS = SearchAttributeKey.for_int("OutlastTokens")
_COST = SearchAttributeKey.for_float("OutlastCost")
TYPES = {
    "OutlastAgent": "Keyword",
    "OutlastStatus": "Keyword",
    "OutlastSession": "Keyword",
    "OutlastWaiting": "Bool",
    "OutlastTokens": "Int",
    "OutlastCost": "Double",
}
"""Each with its type."""


async def has_attributes(client: Client) -> bool:
    """Whether a client's namespace has all of them, as far as the client may see that."""
    asked = ListSearchAttributesRequest(namespace=client.namespace)
    try:
        answer = await client.operator_service.list_search_attributes(asked)
    except RPCError:
        return False
    kinds = {name: IndexedValueType.Name(kind) for name, kind in answer.custom_attributes.items()}
    wanted = {name: f"INDEXED_VALUE_TYPE_{kind.upper()}" for name, kind in TYPES.items()}
    return wanted.items() <= kinds.items()


def attributes_of(state: RunState, nano_usd: int = 0) -> TypedSearchAttributes:
    """What to find a run by.

    Args:
        state: The run as it is.
        nano_usd: What it has cost, in billionths of a dollar, as far as prices are known.
    """
    said = status(state)
    session = state.options.session_id
    pairs: list[SearchAttributePair[Any]] = [
        SearchAttributePair(_AGENT, state.agent),
        SearchAttributePair(_STATUS, said),
        SearchAttributePair(_WAITING, said == "waiting"),
        SearchAttributePair(_TOKENS, state.usage.total_tokens),
        SearchAttributePair(_COST, nano_usd / NANO),
    ]
    if session:
        pairs.append(SearchAttributePair(_SESSION, session))
    return TypedSearchAttributes(pairs)


def updates(
    known: TypedSearchAttributes, wanted: TypedSearchAttributes
) -> list[SearchAttributeUpdate[Any]]:
    """What has to change."""
    pairs = cast("Sequence[SearchAttributePair[Any]]", wanted.search_attributes)  # pyright: ignore[reportUnknownMemberType]  # Temporal's own types
    return [each.key.value_set(each.value) for each in pairs if known.get(each.key) != each.value]
