"""`python -m outlast.demo [MESSAGE]`; `MSG` in the environment does as well."""

from __future__ import annotations

import os
import sys

from outlast.demo.screen import play

if __name__ == "__main__":
    sys.exit(play(" ".join(sys.argv[1:]) or os.environ.get("MSG", "")))
