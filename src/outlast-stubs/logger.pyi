# Written by `python tests/public_names.py`. The module has no file.
from outlast.definitions.logger import enable_verbose_stdout_logging as enable_verbose_stdout_logging
from outlast.definitions.logger import logger as logger
