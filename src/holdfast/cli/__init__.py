"""The command line: `holdfast demo | run | runs | show | resume | doctor`."""

from __future__ import annotations


def main() -> None:
    """Run the command line; the entry point of the `holdfast` script."""
    from holdfast.cli.app import app  # typer and rich load only when they are needed

    app()
