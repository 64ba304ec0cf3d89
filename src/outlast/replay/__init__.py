"""Running a recorded run again, from another point, or beside another one.

`replay` performs changed code against what models and tools answered before; `fork` goes another way
from a step on; `diff` says in what two runs differ; `export_pytest` writes a test of a run.
"""

from outlast.replay.comparing import Difference as Difference, RunDiff as RunDiff, diff as diff
from outlast.replay.forking import fork as fork
from outlast.replay.regression import (
    assert_replays as assert_replays,
    export_pytest as export_pytest,
)
from outlast.replay.replaying import Replay as Replay, replay as replay
from outlast.views.divergence import Divergence as Divergence
