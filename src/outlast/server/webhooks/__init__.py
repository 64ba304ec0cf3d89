"""Telling other servers what becomes of runs, signed as https://www.standardwebhooks.com says."""

from outlast.server.webhooks.signing import verify_webhook

__all__ = ["verify_webhook"]
