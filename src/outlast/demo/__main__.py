"""`python -m outlast.demo [--live] [MESSAGE]`: the command `outlast demo` under another name."""

from __future__ import annotations

import sys

from outlast.cli import main

if __name__ == "__main__":
    sys.argv[1:1] = ["demo"]
    main()
