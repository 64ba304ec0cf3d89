# Written by `python tests/public_names.py`. The module has no file.
from outlast.extras.codex.events import ItemCompletedEvent as ItemCompletedEvent
from outlast.extras.codex.events import ItemStartedEvent as ItemStartedEvent
from outlast.extras.codex.events import ItemUpdatedEvent as ItemUpdatedEvent
from outlast.extras.codex.events import ThreadError as ThreadError
from outlast.extras.codex.events import ThreadErrorEvent as ThreadErrorEvent
from outlast.extras.codex.events import ThreadEvent as ThreadEvent
from outlast.extras.codex.events import ThreadStartedEvent as ThreadStartedEvent
from outlast.extras.codex.events import TurnCompletedEvent as TurnCompletedEvent
from outlast.extras.codex.events import TurnFailedEvent as TurnFailedEvent
from outlast.extras.codex.events import TurnStartedEvent as TurnStartedEvent
from outlast.extras.codex.events import UnknownEvent as UnknownEvent
from outlast.extras.codex.events import Usage as Usage
from outlast.extras.codex.events import coerce_thread_event as coerce_thread_event
from outlast.extras.codex.events import coerce_usage as coerce_usage
