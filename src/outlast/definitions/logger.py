"""The logger of the SDK, under the name that existing programs configure."""

import logging
import sys

logger = logging.getLogger("openai.agents")


def enable_verbose_stdout_logging() -> None:
    """Show everything that the SDK logs on stdout. Meant for debugging: it includes user content."""
    logger.setLevel(logging.DEBUG)
    logger.addHandler(logging.StreamHandler(sys.stdout))
