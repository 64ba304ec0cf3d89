"""`python -m outlast.server.probe [URL]`: whether a server is ready, as an exit status; for containers."""

from __future__ import annotations

import os
import sys
import urllib.error
import urllib.request

_WAIT_S = 5.0
_OK = 200


def is_ready(url: str) -> bool:
    """Whether the server at an address says that work may be sent to it."""
    try:
        with urllib.request.urlopen(f"{url}/readyz", timeout=_WAIT_S) as answer:  # noqa: S310  # named by who runs it
            return answer.status == _OK
    except (urllib.error.URLError, OSError):
        return False


if __name__ == "__main__":
    port = os.environ.get("PORT", "8400")
    sys.exit(not is_ready(sys.argv[1] if len(sys.argv) > 1 else f"http://127.0.0.1:{port}"))
