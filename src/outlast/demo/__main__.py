"""`python -m outlast.demo [--live] [MESSAGE]`; `MSG` in the environment does as well."""

from __future__ import annotations

import os
import sys

from outlast.demo.screen import play

if __name__ == "__main__":
    words = [word for word in sys.argv[1:] if word != "--live"]
    message = " ".join(words) or os.environ.get("MSG", "")
    sys.exit(play(message, is_live="--live" in sys.argv[1:]))
