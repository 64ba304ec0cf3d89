# Written by `python tests/public_names.py`. The module has no file.
from outlast.core.usage import RequestUsage as RequestUsage
from outlast.core.usage import T as T
from outlast.core.usage import Usage as Usage
from outlast.core.usage import copy_usage as copy_usage
from outlast.core.usage import deserialize_usage as deserialize_usage
from outlast.core.usage import facts_of as facts_of
from outlast.core.usage import input_details as input_details
from outlast.core.usage import model_usage_to_span_usage as model_usage_to_span_usage
from outlast.core.usage import output_details as output_details
from outlast.core.usage import serialize_usage as serialize_usage
from outlast.core.usage import task_usage_to_span_data as task_usage_to_span_data
from outlast.core.usage import token_count as token_count
from outlast.core.usage import total_usage_to_span_metadata as total_usage_to_span_metadata
from outlast.core.usage import turn_usage_to_span_data as turn_usage_to_span_data
from outlast.core.usage import usage_of as usage_of
