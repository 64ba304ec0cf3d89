# Written by `python tests/public_names.py`. The module has no file.
from outlast.models.responses import ConvertedTools as ConvertedTools
from outlast.models.responses import Converter as Converter
from outlast.models.responses import ENDS as ENDS
from outlast.models.responses import FAILURES as FAILURES
from outlast.models.responses import HEADERS_OVERRIDE as HEADERS_OVERRIDE
from outlast.models.responses import OpenAIResponsesModel as OpenAIResponsesModel
from outlast.models.responses import arguments as arguments
from outlast.models.responses import clean_input as clean_input
from outlast.models.responses import http_events as http_events
from outlast.models.responses import passed_on as passed_on
from outlast.models.responses_ws import OpenAIResponsesWSModel as OpenAIResponsesWSModel
from outlast.models.responses_ws import OpenAIResponsesWebSocketOptions as OpenAIResponsesWebSocketOptions
from outlast.models.responses_ws import ResponsesWebSocketError as ResponsesWebSocketError
