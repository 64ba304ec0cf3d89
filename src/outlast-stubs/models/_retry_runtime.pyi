# Written by `python tests/public_names.py`. The module has no file.
from outlast.compat.model_names import Part as Part
from outlast.compat.model_names import SequenceNumber as SequenceNumber
from outlast.compat.model_names import StreamingState as StreamingState
from outlast.compat.model_names import provider_managed_retries_disabled as provider_managed_retries_disabled
