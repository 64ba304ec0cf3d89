"""`temporal://HOST:PORT/NAMESPACE?store=FOLDER&queue=NAME`: where runs are performed, in one line.

As `OUTLAST_JOURNAL` it has a program run on the cluster without a changed line, and the command line
look there.
"""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import parse_qs, quote, urlsplit

from temporalio.client import Client

from outlast.core.errors import UserError
from outlast.temporal.codec import converter
from outlast.temporal.engine import QUEUE
from outlast.temporal.journal import TemporalJournal
from outlast.temporal.store import DirectoryStore

_KNOWN = {"store", "queue", "prefix", "accounts"}


class ClusterPlace(NamedTuple):
    """A Temporal server, and what workers and callers share beside it."""

    address: str
    namespace: str
    store: str
    """A folder."""
    queue: str = QUEUE
    prefix: str = ""
    """What the ids of workflows begin with."""
    accounts: str = ""
    """The file of a journal that counts what is spent under budgets; see `DirectoryStore`."""

    @classmethod
    def parse(cls, url: str) -> ClusterPlace:
        """What a URL says.

        Raises:
            UserError: It is none of a cluster, or names no store.
        """
        parts = urlsplit(url)
        said = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        unknown = sorted({*said} - _KNOWN)
        if parts.scheme != "temporal" or not parts.netloc or "store" not in said or unknown:
            what = (
                f"it says {', '.join(unknown)}, which means nothing"
                if unknown
                else "got another form"
            )
            raise UserError(
                "A cluster is named by temporal://HOST:PORT/NAMESPACE?store=FOLDER and, if need be, "
                f"&queue=NAME; {what}."
            )
        namespace = parts.path.strip("/") or "default"
        said = {"queue": QUEUE, **said}
        return cls(parts.netloc, namespace, **said)

    def __str__(self) -> str:
        """The URL."""
        store, queue = quote(self.store), quote(self.queue)
        more = {"prefix": self.prefix, "accounts": self.accounts}
        rest = "".join(f"&{name}={quote(value)}" for name, value in more.items() if value)
        return f"temporal://{self.address}/{self.namespace}?store={store}&queue={queue}{rest}"

    def open_store(self) -> DirectoryStore:
        """The store."""
        return DirectoryStore(self.store, accounts=self.accounts or None)


def open_cluster(url: str) -> TemporalJournal:
    """The journal of the runs of a cluster. Nothing is asked of the server before it is used.

    Raises:
        UserError: The URL is none of a cluster.
    """
    place = ClusterPlace.parse(url)
    store = place.open_store()

    async def connect() -> Client:
        return await Client.connect(
            place.address, namespace=place.namespace, data_converter=converter(store), lazy=True
        )

    return TemporalJournal(connect, store, place.queue, prefix=place.prefix)
