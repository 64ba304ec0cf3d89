"""Work beside the answers: what fails once is said, and done at the next look."""

from __future__ import annotations

from collections.abc import Awaitable

from outlast.core.errors import AgentsException
from outlast.definitions.logger import logger


async def tried(what: str, work: Awaitable[object]) -> bool:
    """Wait for a part of the work, whatever comes of it.

    Args:
        what: What the log calls it.
        work: It.

    Returns:
        Whether it is done. If not, the log says of which error; it has the traceback of one that is
        no fault of a file or a network.
    """
    try:
        await work
    except Exception as error:  # noqa: BLE001  # a disk, a network, a fault of ours: the next look is another one
        is_known = isinstance(error, AgentsException | OSError)
        logger.warning(
            "%s failed: %s.", what, type(error).__name__, exc_info=None if is_known else error
        )
        return False
    return True
