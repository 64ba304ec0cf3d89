# Written by `python tests/public_names.py`. The module has no file.
from outlast.models.chat import ChatCmplHelpers as ChatCmplHelpers
from outlast.models.chat import ChatCmplStreamHandler as ChatCmplStreamHandler
from outlast.models.chat import Converter as Converter
from outlast.models.chat import HEADERS as HEADERS
from outlast.models.chat import HEADERS_OVERRIDE as HEADERS_OVERRIDE
from outlast.models.chat import OpenAIChatCompletionsModel as OpenAIChatCompletionsModel
from outlast.models.chat import arguments as arguments
from outlast.models.chat import unsupported_reasoning as unsupported_reasoning
