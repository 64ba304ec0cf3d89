# Written by `python tests/public_names.py`. The module has no file.
from outlast.models.adapters.any_llm import AnyLLM as AnyLLM
from outlast.models.adapters.any_llm import AnyLLMModel as AnyLLMModel
from outlast.models.adapters.any_llm import AnyLLMProvider as AnyLLMProvider
from outlast.models.adapters.any_llm import Api as Api
