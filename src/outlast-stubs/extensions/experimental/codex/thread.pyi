# Written by `python tests/public_names.py`. The module has no file.
from outlast.extras.codex.thread import Input as Input
from outlast.extras.codex.thread import LocalImageInput as LocalImageInput
from outlast.extras.codex.thread import RunResult as RunResult
from outlast.extras.codex.thread import RunStreamedResult as RunStreamedResult
from outlast.extras.codex.thread import StreamedTurn as StreamedTurn
from outlast.extras.codex.thread import TextInput as TextInput
from outlast.extras.codex.thread import Thread as Thread
from outlast.extras.codex.thread import Turn as Turn
from outlast.extras.codex.thread import UserInput as UserInput
from outlast.extras.codex.thread import split_input as split_input
