# Written by `python tests/public_names.py`. The module has no file.
from outlast.definitions.apply_diff import ApplyDiffMode as ApplyDiffMode
from outlast.definitions.apply_diff import Edit as Edit
from outlast.definitions.apply_diff import InvalidDiff as InvalidDiff
from outlast.definitions.apply_diff import Section as Section
from outlast.definitions.apply_diff import apply_diff as apply_diff
