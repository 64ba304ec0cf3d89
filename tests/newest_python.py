"""Run the quick tests on the newest Python that there is, where every warning is an error.

    python3 tests/newest_python.py

It looks for a Python that is newer than the one it runs on: on the PATH, then with `uv`, which can
install one. Where there is none and none can be installed it says so and ends well. Everything that it
installs is in `.venv-newest`.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

TOP = Path(__file__).parents[1]
PLACE = TOP / ".venv-newest"
MINORS = range(15, sys.version_info.minor, -1)
EXTRAS = "encrypt,mcp,otel,server,sqlalchemy,sqlite,websocket"
LIBRARIES = (
    "hypothesis", "litellm", "pytest", "pytest-asyncio", "pytest-timeout", "pytest-xdist",
)  # fmt: skip
FOLDERS = (
    "core",
    "definitions",
    "compat",
    "journal",
    "engine",
    "run",
    "tracing",
    "views",
    "sessions",
)
QUICK = "not slow and not chaos and not endpoints and not services"
_INSTALL_S = 240


def main() -> int:
    found = on_the_path() or installed()
    if found is None:
        version = ".".join(map(str, sys.version_info[:2]))
        print(f"No Python newer than {version} is here or can be installed: that part did not run.")
        return 0
    env = PLACE / "env" / "bin" / "python"
    run(found, "-m", "venv", "--clear", PLACE / "env", limit_s=_INSTALL_S)
    if not run(
        env, "-m", "pip", "install", "--quiet", f"{TOP}[{EXTRAS}]", *LIBRARIES, limit_s=_INSTALL_S
    ):
        print(f"{found} lacks libraries that have no build for it yet: that part did not run.")
        return 0
    run(env, "--version", limit_s=_INSTALL_S)
    folders = [f"tests/{name}" for name in FOLDERS]
    tests = [
        env,
        "-W",
        "error",
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-n",
        "2",
        "-m",
        QUICK,
    ]
    return subprocess.run([*tests, *folders], cwd=TOP, check=False).returncode


def on_the_path() -> str | None:
    """The newest one that has a name of its own."""
    names = (shutil.which(f"python3.{minor}") for minor in MINORS)
    return next(
        (name for name in names if name and run(name, "-c", "import venv, ensurepip")), None
    )


def installed() -> str | None:
    """One that uv has, or fetches."""
    if not run(sys.executable, "-m", "venv", PLACE / "uv"):
        return None
    tool, pythons = PLACE / "uv" / "bin" / "uv", PLACE / "pythons"
    if not run(PLACE / "uv" / "bin" / "pip", "install", "--quiet", "uv", limit_s=_INSTALL_S):
        return None
    for minor in MINORS:
        wanted = f"3.{minor}"
        if run(
            tool,
            "python",
            "install",
            "--quiet",
            wanted,
            "--install-dir",
            pythons,
            limit_s=_INSTALL_S,
        ):
            return next((str(path) for path in pythons.glob(f"*/bin/python{wanted}")), None)
    return None


def run(*command: object, limit_s: float = 60.0) -> bool:
    """Whether a command ended well in time; what it says is not shown unless it is a version."""
    words = [str(word) for word in command]
    shown = None if "--version" in words else subprocess.DEVNULL
    try:
        done = subprocess.run(words, check=False, timeout=limit_s, stdout=shown, stderr=shown)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


if __name__ == "__main__":
    sys.exit(main())
