"""Taking secrets out of what is written down to be kept: recordings and cassettes."""

from __future__ import annotations

import os
import re

SECRET = "[secret]"  # noqa: S105  # what stands for one
_NAMES = re.compile(r"(KEY|TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIAL|DSN)", re.IGNORECASE)
_SHORTEST = 8
_FORMS = re.compile(
    r"""(?x)
    \b(?: sk-[A-Za-z0-9_-]{16,} | sk-ant-[A-Za-z0-9_-]{16,} | gh[pousr]_[A-Za-z0-9]{20,}
        | github_pat_[A-Za-z0-9_]{20,} | xox[abprs]-[A-Za-z0-9-]{10,} | AKIA[0-9A-Z]{16}
        | AIza[0-9A-Za-z_-]{30,} | glpat-[A-Za-z0-9_-]{16,} | hf_[A-Za-z0-9]{20,}
        | eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{5,} )
    | (?i:bearer)\s+[A-Za-z0-9._~+/-]{12,}=*
    """
)


def without_secrets(text: str) -> str:
    """``text`` without what looks like a key, and without the values of this environment's keys."""
    values = {
        value
        for name, value in os.environ.items()
        if _NAMES.search(name) and len(value) >= _SHORTEST
    }
    for value in sorted(values, key=len, reverse=True):
        text = text.replace(value, SECRET)
    return _FORMS.sub(SECRET, text)
