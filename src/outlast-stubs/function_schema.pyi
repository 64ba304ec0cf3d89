# Written by `python tests/public_names.py`. The module has no file.
from outlast.definitions.schema import Arguments as Arguments
from outlast.definitions.schema import CallShape as CallShape
from outlast.definitions.schema import FuncSchema as FuncSchema
from outlast.definitions.schema import function_schema as function_schema
from outlast.definitions.docstrings import DocstringStyle as DocstringStyle
from outlast.definitions.docstrings import FuncDocumentation as FuncDocumentation
from outlast.definitions.docstrings import generate_func_documentation as generate_func_documentation
from outlast.definitions.docstrings import guessed_style as guessed_style
