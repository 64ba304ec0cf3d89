# Written by `python tests/public_names.py`. The module has no file.
from outlast.definitions.handoff import Handoff as Handoff
from outlast.definitions.handoff import HandoffHistoryMapper as HandoffHistoryMapper
from outlast.definitions.handoff import HandoffInputData as HandoffInputData
from outlast.definitions.handoff import HandoffInputFilter as HandoffInputFilter
from outlast.definitions.handoff import HandoffOptions as HandoffOptions
from outlast.definitions.handoff import Named as Named
from outlast.definitions.handoff import OnHandoffWithInput as OnHandoffWithInput
from outlast.definitions.handoff import OnHandoffWithoutInput as OnHandoffWithoutInput
from outlast.definitions.handoff import RECOMMENDED_PROMPT_PREFIX as RECOMMENDED_PROMPT_PREFIX
from outlast.definitions.handoff import TAgent as TAgent
from outlast.definitions.handoff import THandoffInput as THandoffInput
from outlast.definitions.handoff import handoff as handoff
from outlast.definitions.handoff import handoff_target as handoff_target
from outlast.definitions.handoff import prompt_with_handoff_instructions as prompt_with_handoff_instructions
