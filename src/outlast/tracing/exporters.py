"""Delivering traces and spans: to the console, or to OpenAI's trace dashboard."""

from __future__ import annotations

import json
import os
import random
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from outlast.definitions import debug
from outlast.definitions.logger import logger
from outlast.tracing.export_limits import fitted, sendable
from outlast.tracing.interface import Span, Trace, TracingExporter

if TYPE_CHECKING:
    import httpx2

OPENAI_ENDPOINT = "https://api.openai.com/v1/traces/ingest"
_RETRYABLE = frozenset({408, 409, 429})
_SERVER_ERROR = 500
_CLIENT_ERROR = 300  # A redirect is not followed, so it is no success either.
_TIMEOUT_S = 60.0
_CONNECT_TIMEOUT_S = 5.0
_JITTER = 0.1


def __getattr__(name: str) -> Any:
    """The HTTP library, for programs that put a client of their own in its place."""
    if name == "httpx2":
        import httpx2

        return httpx2
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}", name=name)


class ConsoleSpanExporter(TracingExporter):
    """Prints a line for each trace and span, with content if logs may show content."""

    def export(self, items: list[Trace | Span]) -> None:
        for item in items:
            if isinstance(item, Trace):
                print(f"[Exporter] Export trace_id={item.trace_id}")  # noqa: T201
            elif _hides_data():
                print(f"[Exporter] Export span_id={item.span_id} type={item.span_data.type}")  # noqa: T201
            else:
                print(f"[Exporter] Export span: {item.export()}")  # noqa: T201


class FileSpanExporter(TracingExporter):
    """Appends a line of JSON for each trace and span to a file.

    Args:
        path: The file; made, readable for its owner alone, when there is something to write.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    def export(self, items: list[Trace | Span]) -> None:
        """Append ``items``.

        Raises:
            OSError: The file cannot be written.
        """
        exported = [one for one in (item.export() for item in items) if one]
        lines = "".join(f"{json.dumps(sendable(one), ensure_ascii=False)}\n" for one in exported)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        private = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        with os.fdopen(private, "a", encoding="utf-8", errors="replace") as file:
            file.write(lines)


class BackendSpanExporter(TracingExporter):
    """Uploads traces and spans. No failure of it reaches the program; all are logged.

    Args:
        api_key: None for ``OPENAI_API_KEY``. A trace may bring a key of its own.
        organization: None for ``OPENAI_ORG_ID``.
        project: None for ``OPENAI_PROJECT_ID``.
        endpoint: Where to. Only for OpenAI's, spans are cut to what it takes.
        max_retries: Attempts for a batch, the first one included.
        base_delay: Seconds before the second attempt; doubles each time.
        max_delay: Seconds that it grows to, also where the server asks for more.
    """

    def __init__(  # noqa: PLR0913 (upstream's signature)
        self,
        api_key: str | None = None,
        organization: str | None = None,
        project: str | None = None,
        endpoint: str = OPENAI_ENDPOINT,
        max_retries: int = 3,
        base_delay: float = 1.0,
        max_delay: float = 30.0,
    ) -> None:
        import httpx2

        self._api_key = api_key
        self._organization = organization
        self._project = project
        self.endpoint = endpoint
        self.max_retries = max_retries
        self.base_delay = base_delay
        self.max_delay = max_delay
        self._shutdown_event = threading.Event()
        self._deadline: float | None = None
        self._is_key_missed = False
        self.dropped = 0
        """Traces and spans that the server did not take, or that there was no key for."""
        self._network_error = httpx2.RequestError
        self._client = httpx2.Client(timeout=httpx2.Timeout(_TIMEOUT_S, connect=_CONNECT_TIMEOUT_S))

    @property
    def api_key(self) -> str | None:
        """The key in use. One found in the environment is kept from then on."""
        if not self._api_key and (found := os.environ.get("OPENAI_API_KEY")):
            self._api_key = found
        return self._api_key or None

    @api_key.setter
    def api_key(self, api_key: str | None) -> None:
        self._api_key = api_key

    def set_api_key(self, api_key: str) -> None:
        """Upload with ``api_key`` from now on; ``""`` for that of the environment."""
        self._api_key = api_key

    @property
    def organization(self) -> str | None:
        """The organization in use."""
        return self._organization or os.environ.get("OPENAI_ORG_ID")

    @property
    def project(self) -> str | None:
        """The project in use."""
        return self._project or os.environ.get("OPENAI_PROJECT_ID")

    def export(self, items: list[Trace | Span]) -> None:
        """Upload ``items``, in one request per key. Blocks through all attempts."""
        groups: dict[str | None, list[Trace | Span]] = {}
        for item in items:
            groups.setdefault(item.tracing_api_key, []).append(item)
        for own_key, group in groups.items():
            key = own_key or self.api_key
            if key:
                if not self._upload(key, self._payload(group)):
                    self.dropped += len(group)
                continue
            self.dropped += len(group)
            if not self._is_key_missed:
                self._is_key_missed = True
                logger.warning(
                    "OPENAI_API_KEY is not set; traces are not uploaded. Set it, or call "
                    "set_tracing_export_api_key()."
                )

    def finish_by(self, deadline: float) -> None:
        """Give up the attempt that is waited for, and any other at ``deadline``."""
        self._deadline = deadline
        self._shutdown_event.set()

    def close(self) -> None:
        """Close connections; a wait between attempts ends."""
        self._shutdown_event.set()
        self._client.close()

    def _payload(self, items: list[Trace | Span]) -> dict[str, Any]:
        exported = [one for one in (item.export() for item in items) if one]
        if self.endpoint == OPENAI_ENDPOINT:
            exported = [fitted(one) for one in exported]
        return {"data": [sendable(one) for one in exported]}

    def _headers(self, key: str) -> dict[str, str]:
        headers = {
            "Authorization": f"Bearer {key}",
            "Content-Type": "application/json",
            "OpenAI-Beta": "traces=v1",
        }
        if self.organization:
            headers["OpenAI-Organization"] = self.organization
        if self.project:
            headers["OpenAI-Project"] = self.project
        return headers

    def _upload(self, key: str, payload: dict[str, Any]) -> bool:
        """Whether the server has taken it, after as many attempts as it takes."""
        delay = self.base_delay
        # One that is set from now on gives this upload up at its next wait.
        deadline = self._deadline
        for attempt in range(1, max(1, self.max_retries) + 1):
            asked = self._attempt(self._headers(key), payload)
            if isinstance(asked, bool):
                return asked
            if attempt >= self.max_retries:
                break
            wait = min(delay + random.uniform(0, _JITTER * delay), self.max_delay)  # noqa: S311  # spreads load
            if not self._waits(max(wait, min(asked, self.max_delay)), deadline):
                break
            delay = min(delay * 2, self.max_delay)
        logger.error("Giving up uploading %d traces and spans (non-fatal).", len(payload["data"]))
        return False

    def _attempt(self, headers: dict[str, str], payload: dict[str, Any]) -> float | bool:
        """Upload once: whether it was taken for good or not, or the seconds that the server asks to wait."""
        try:
            response = self._post(headers, payload)
        except self._network_error as error:
            logger.warning("Uploading traces failed (non-fatal): %s", type(error).__name__)
            return 0.0
        status = response.status_code
        if status < _CLIENT_ERROR:
            return True
        is_transient = status in _RETRYABLE or status >= _SERVER_ERROR
        if is_transient and str(_headers(response).get("x-should-retry")).lower() != "false":
            logger.warning("Uploading traces: server answered %d (non-fatal).", status)
            return _asked_wait(response)
        if status < _SERVER_ERROR:
            logger.error("Tracing client error %d (non-fatal)%s", status, _shown(response))
        else:
            logger.error("Uploading traces: server forbade retry for %d (non-fatal).", status)
        return False

    def _post(self, headers: dict[str, str], payload: dict[str, Any]) -> httpx2.Response:
        if self._deadline is None:
            return self._client.post(url=self.endpoint, headers=headers, json=payload)
        left = max(0.001, self._deadline - time.monotonic())
        return self._client.post(url=self.endpoint, headers=headers, json=payload, timeout=left)

    def _waits(self, delay: float, deadline: float | None) -> bool:
        """Wait before another attempt; False if there is to be none."""
        if deadline is None:
            return not self._shutdown_event.wait(delay)
        time.sleep(max(0.0, min(delay, deadline - time.monotonic())))
        return time.monotonic() < deadline


def _asked_wait(response: httpx2.Response) -> float:
    for header, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            seconds = float(_headers(response)[header]) * unit
        except (KeyError, ValueError, TypeError):
            continue
        return max(0.0, seconds)
    return 0.0


def _headers(response: httpx2.Response) -> Mapping[str, str]:
    # A client that a program put in our place may answer with less than a whole response.
    return getattr(response, "headers", {})


def _shown(response: httpx2.Response) -> str:
    return "." if _hides_data() else f": {response.text}"


def _hides_data() -> bool:
    return debug.DONT_LOG_MODEL_DATA or debug.DONT_LOG_TOOL_DATA
