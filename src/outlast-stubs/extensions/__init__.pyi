# Written by `python tests/public_names.py`. The module has no file.
from outlast.extras.tool_output_trimmer import ToolOutputTrimmer as ToolOutputTrimmer
from outlast.extras.tool_output_trimmer import logger as logger
