# Written by `python tests/public_names.py`. The module has no file.
from outlast.models.provider import DEFAULT_MODEL as DEFAULT_MODEL
from outlast.models.provider import MissingKey as MissingKey
from outlast.models.provider import MultiProvider as MultiProvider
from outlast.models.provider import MultiProviderMap as MultiProviderMap
from outlast.models.provider import MultiProviderOpenAIPrefixMode as MultiProviderOpenAIPrefixMode
from outlast.models.provider import MultiProviderUnknownPrefixMode as MultiProviderUnknownPrefixMode
from outlast.models.provider import OFFLINE_ENV as OFFLINE_ENV
from outlast.models.provider import OpenAIProvider as OpenAIProvider
from outlast.models.provider import is_official_openai_base_url as is_official_openai_base_url
from outlast.models.provider import is_official_openai_client as is_official_openai_client
from outlast.models.provider import shared_http_client as shared_http_client
