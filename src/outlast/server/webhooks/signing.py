"""The signature of a webhook: what Standard Webhooks says, so any of its libraries verifies it."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import secrets
from collections.abc import Mapping
from typing import Any

from outlast.core.errors import UserError
from outlast.definitions.clock import wall_s

_PREFIX = "whsec_"
_TOLERANCE_S = 300


def new_secret() -> str:
    """A secret that sender and receiver share."""
    return _PREFIX + base64.b64encode(secrets.token_bytes(24)).decode()


def signed(message_id: str, at: int, body: bytes, secret: str) -> dict[str, str]:
    """The headers of a message."""
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(at),
        "webhook-signature": f"v1,{_signature(message_id, str(at), body, secret)}",
    }


def verify_webhook(headers: Mapping[str, str], body: bytes | str, secret: str) -> Any:
    """What a webhook says, if it is from whoever has the secret, and not older than five minutes.

    Args:
        headers: Those of the request, in any case.
        body: Its body as it came, before anybody has read it as JSON.
        secret: ``whsec_...``, as the server has shown it.

    Raises:
        UserError: It is from somebody else, was changed on the way, or is old. Answer 400.
    """
    sent = {name.lower(): value for name, value in headers.items()}
    message_id, at = sent.get("webhook-id", ""), sent.get("webhook-timestamp", "")
    data = body.encode() if isinstance(body, str) else body
    if not at.isdecimal() or abs(wall_s() - int(at)) > _TOLERANCE_S:
        raise UserError(
            "The webhook has no timestamp of the last five minutes. Answer 400; look at this machine's clock."
        )
    right = _signature(message_id, at, data, secret)
    each = [part.partition(",") for part in sent.get("webhook-signature", "").split(" ")]
    if not any(version == "v1" and hmac.compare_digest(value, right) for version, _, value in each):
        raise UserError(
            "The webhook is not signed with this secret. Answer 400; use the secret that the server has shown."
        )
    return json.loads(data)


def _signature(message_id: str, at: str, body: bytes, secret: str) -> str:
    try:
        key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except binascii.Error as error:
        raise UserError("The secret of a webhook begins with 'whsec_', and is base64.") from error
    text = f"{message_id}.{at}.".encode() + body
    return base64.b64encode(hmac.digest(key, text, hashlib.sha256)).decode()
