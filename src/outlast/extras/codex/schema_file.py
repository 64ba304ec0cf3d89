"""The schema of a turn's answer, in a file that Codex reads."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from outlast.core.errors import UserError
from outlast.definitions.strict_schema import is_dict


@dataclass
class OutputSchemaFile:
    """Where the file is (None without a schema), and what takes it away."""

    schema_path: str | None
    cleanup: Callable[[], None]


def create_output_schema_file(schema: dict[str, Any] | None) -> OutputSchemaFile:
    """Write ``schema`` into a file of its own folder, which `cleanup` takes away.

    Raises:
        UserError: The schema is no JSON object.
    """
    if schema is None:
        return OutputSchemaFile(None, lambda: None)
    if not is_dict(schema):
        raise UserError("output_schema must be a plain JSON object")
    folder = tempfile.mkdtemp(prefix="codex-output-schema-")

    def cleanup() -> None:
        try:
            shutil.rmtree(folder, ignore_errors=True)
        except OSError:  # A file that is left over is no reason to lose a turn's answer.
            return

    path = Path(folder, "schema.json")
    try:
        with path.open("w", encoding="utf-8") as file:
            json.dump(schema, file)
    except BaseException:
        cleanup()
        raise
    return OutputSchemaFile(str(path), cleanup)
