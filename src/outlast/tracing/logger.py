"""The logger that programs may know tracing by. The SDK itself logs on `openai.agents`."""

import logging

logger = logging.getLogger("openai.agents.tracing")
