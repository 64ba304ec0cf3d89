"""The error of who names what there is not."""

from __future__ import annotations

from outlast.core.errors import UserError


class NoSuchThing(UserError):
    """There is no file of this name, or no step of this id."""
