"""How the effects of a run become activities. Plain data: it travels with the workflow."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec


class TemporalSettings(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """How a run's effects are performed on a cluster. All times are in seconds."""

    queues: Mapping[str, str] = {}
    """Task queues by tool name, agent name or kind of effect (`model`, `tool`, ...); the first of the
    three that stands here counts. What is not here is performed on the run's own queue."""
    timeouts_s: Mapping[str, float] = {}
    """How long one attempt may take, by the same names."""
    timeout_s: float = 3600.0
    """How long one attempt may take otherwise."""
    heartbeat_s: float = 30.0
    """How long a worker may be silent before another one takes its effect over; 0 for ever."""
    retry_first_s: float = 0.2
    """The wait before an effect whose worker failed is performed again; doubled each time."""
    retry_longest_s: float = 30.0
    """The longest such wait."""
    events_per_history: int = 2000
    """After about so many events of Temporal's own history a run goes on in a fresh one."""

    def queue(self, names: tuple[str, ...]) -> str | None:
        """The task queue for an effect that is known by these names."""
        return next((self.queues[name] for name in names if name in self.queues), None)

    @property
    def is_plain(self) -> bool:
        """Whether all kinds of effects are performed alike, so that one activity may do several."""
        return not self.queues and not self.timeouts_s

    def timeout(self, names: tuple[str, ...]) -> float:
        """How long an attempt of it may take."""
        found = (self.timeouts_s[name] for name in names if name in self.timeouts_s)
        return next(found, self.timeout_s)
