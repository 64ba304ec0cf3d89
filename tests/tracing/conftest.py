"""A trace provider of their own for all tests of tracing."""

import sys
import threading
from collections.abc import Generator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from outlast import tracing
from outlast.tracing import setup
from outlast.tracing.provider import DefaultTraceProvider

sys.path.insert(0, str(Path(__file__).parent))

from recording import Recorder


@pytest.fixture(autouse=True)
def provider() -> Generator[DefaultTraceProvider]:
    """Set a provider as a program without any set-up gets it: nobody listens."""
    before = setup.GLOBAL_TRACE_PROVIDER
    mine = DefaultTraceProvider(quiet=True)
    tracing.set_trace_provider(mine)
    yield mine
    setup.GLOBAL_TRACE_PROVIDER = before


@pytest.fixture
def recorder() -> Recorder:
    """Listen to everything in a test."""
    made = Recorder()
    tracing.add_trace_processor(made)
    return made


@pytest.fixture
def failing_server() -> Generator[str]:
    """Run a server that answers 500 to everything; give its address."""

    class Failing(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.send_error(500)

        def log_message(self, format: str, *args: object) -> None:
            """Nothing."""

    http = ThreadingHTTPServer(("127.0.0.1", 0), Failing)
    thread = threading.Thread(target=http.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{http.server_port}/"
    http.shutdown()
    thread.join()
    http.server_close()
