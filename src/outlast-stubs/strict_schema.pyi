# Written by `python tests/public_names.py`. The module has no file.
from outlast.definitions.strict_schema import Schema as Schema
from outlast.definitions.strict_schema import ensure_strict_json_schema as ensure_strict_json_schema
from outlast.definitions.strict_schema import is_dict as is_dict
from outlast.definitions.strict_schema import is_list as is_list
from outlast.definitions.strict_schema import resolve_ref as resolve_ref
from outlast.definitions.strict_schema import strict_parameters as strict_parameters
