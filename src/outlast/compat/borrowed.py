"""Names that programs import from `agents`, although they are of other packages.

openai-agents imports them for itself, so that they can be had from it.
"""

import logging
import sys
import threading
from typing import TYPE_CHECKING, Literal

from openai import AsyncOpenAI

__all__ = ["TYPE_CHECKING", "AsyncOpenAI", "Literal", "logging", "sys", "threading"]
