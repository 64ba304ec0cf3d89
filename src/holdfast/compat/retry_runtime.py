"""What openai-agents' `models._retry_runtime` offers to models: who asks again."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

from holdfast.models.endpoint import asking_once


def provider_managed_retries_disabled(disabled: bool) -> AbstractContextManager[None]:
    """Let the calls made in here fail at the first failure, if ``disabled``."""
    return asking_once() if disabled else nullcontext()
