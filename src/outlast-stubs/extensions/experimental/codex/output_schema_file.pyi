# Written by `python tests/public_names.py`. The module has no file.
from outlast.extras.codex.schema_file import OutputSchemaFile as OutputSchemaFile
from outlast.extras.codex.schema_file import create_output_schema_file as create_output_schema_file
