# Written by `python tests/public_names.py`. The module has no file.
from outlast.extras.codex.records import CodexError as CodexError
from outlast.extras.codex.records import Options as Options
from outlast.extras.codex.records import Record as Record
from outlast.extras.codex.records import is_mapping as is_mapping
from outlast.extras.codex.records import options_of as options_of
from outlast.extras.codex.records import refuse_unknown as refuse_unknown
