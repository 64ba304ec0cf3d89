# Written by `python tests/public_names.py`. The module has no file.
from outlast.models.official import base_url_of as base_url_of
from outlast.models.official import is_official_openai_base_url as is_official_openai_base_url
from outlast.models.official import is_official_openai_client as is_official_openai_client
