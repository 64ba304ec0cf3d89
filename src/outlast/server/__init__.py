"""Agents as a server: an ASGI app over the journal, with an API of its own and those that clients know.

    from outlast.server import App

    app = App(agents=[desk])

Every surface is a projection of the log and a way to post commands. The server keeps nothing of its
own: whichever process answers, it reads the same log. Its parts are imported when they are used, so that
a worker, which answers nobody, needs no framework.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from outlast.server.app import App
    from outlast.server.callers import Caller
    from outlast.server.keys import ApiKeys
    from outlast.server.schedules import Schedule
    from outlast.server.webhooks import verify_webhook

__all__ = ["ApiKeys", "App", "Caller", "Schedule", "verify_webhook"]

_MODULES = {
    "App": "app",
    "Caller": "callers",
    "ApiKeys": "keys",
    "Schedule": "schedules",
    "verify_webhook": "webhooks",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
