# Written by `python tests/public_names.py`. The module has no file.
from outlast.definitions.prompt import DynamicPromptFunction as DynamicPromptFunction
from outlast.definitions.prompt import GenerateDynamicPromptData as GenerateDynamicPromptData
from outlast.definitions.prompt import Prompt as Prompt
from outlast.definitions.prompt import PromptUtil as PromptUtil
from outlast.definitions.prompt import resolved_prompt as resolved_prompt
