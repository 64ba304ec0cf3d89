# Written by `python tests/public_names.py`. The module has no file.
from outlast.effects.error_handlers import RunErrorData as RunErrorData
from outlast.effects.error_handlers import RunErrorHandler as RunErrorHandler
from outlast.effects.error_handlers import RunErrorHandlerInput as RunErrorHandlerInput
from outlast.effects.error_handlers import RunErrorHandlerResult as RunErrorHandlerResult
from outlast.effects.error_handlers import RunErrorHandlers as RunErrorHandlers
from outlast.effects.error_handlers import RunErrorKind as RunErrorKind
from outlast.effects.error_handlers import ask_handler as ask_handler
