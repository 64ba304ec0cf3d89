"""What a run has come to is asked of a server that may be busy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from temporalio.service import RPCError, RPCStatusCode

from outlast.temporal import DirectoryStore
from outlast.temporal.following import Silent
from outlast.temporal.journal import TemporalJournal


class Handle:
    """A workflow whose server answers each query with the next status."""

    def __init__(self, *statuses: RPCStatusCode) -> None:
        self.statuses = list(statuses)

    async def query(self, name: str, **_: Any) -> bytes:
        raise RPCError(name, self.statuses.pop(0), b"")


class Journal(TemporalJournal):
    def __init__(self, handle: Handle, folder: Path) -> None:
        super().__init__(no_client, DirectoryStore(folder), "queue")
        self.one = handle

    async def handle(self, run_id: str) -> Any:
        return self.one


async def no_client() -> Any:
    raise AssertionError("Nobody is connected.")


CANCELLED, UNAVAILABLE = RPCStatusCode.CANCELLED, RPCStatusCode.UNAVAILABLE


@pytest.mark.parametrize(
    ("statuses", "left"),
    [
        ((CANCELLED, UNAVAILABLE, CANCELLED), 1),
        ((UNAVAILABLE, CANCELLED), 1),
    ],
)
async def test_a_query_that_the_server_cancels_is_put_again_and_no_other(
    statuses: tuple[RPCStatusCode, ...], left: int, tmp_path: Path
):
    handle = Handle(*statuses)
    with pytest.raises(Silent, match="did not answer"):
        await Journal(handle, tmp_path).news("r", 0)
    assert len(handle.statuses) == left
