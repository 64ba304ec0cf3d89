"""Runs that begin by the clock: what a schedule is, where it is kept, and who looks at the clock."""

from outlast.server.schedules.schedule import Schedule

__all__ = ["Schedule"]
