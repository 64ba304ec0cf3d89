# Written by `python tests/public_names.py`. The module has no file.
from outlast.models.adapters.litellm import LitellmModel as LitellmModel
from outlast.models.adapters.litellm import LitellmProvider as LitellmProvider
