# Written by `python tests/public_names.py`. The module has no file.
from outlast.sessions.sqlite import SQLiteSession as SQLiteSession
