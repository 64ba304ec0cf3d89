# Written by `python tests/public_names.py`. The module has no file.
from outlast.engine.error_handlers import RunErrorData as RunErrorData
from outlast.engine.error_handlers import RunErrorHandler as RunErrorHandler
from outlast.engine.error_handlers import RunErrorHandlerInput as RunErrorHandlerInput
from outlast.engine.error_handlers import RunErrorHandlerResult as RunErrorHandlerResult
from outlast.engine.error_handlers import RunErrorHandlers as RunErrorHandlers
from outlast.engine.error_handlers import RunErrorKind as RunErrorKind
from outlast.engine.error_handlers import ask_handler as ask_handler
