"""What a room of folds offers: for each type of event, what it makes of a state."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from outlast.core.state import RunState

Folds = dict[type, Callable[[RunState, Any], RunState]]
