# Written by `python tests/public_names.py`. The module has no file.
from outlast.sessions.dapr import DAPR_CONSISTENCY_EVENTUAL as DAPR_CONSISTENCY_EVENTUAL
from outlast.sessions.dapr import DAPR_CONSISTENCY_STRONG as DAPR_CONSISTENCY_STRONG
from outlast.sessions.dapr import DaprSession as DaprSession
