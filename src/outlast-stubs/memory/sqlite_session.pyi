# Written by `python tests/public_names.py`. The module has no file.
from outlast.sessions.sqlite import Rewriting as Rewriting
from outlast.sessions.sqlite import SQLiteSession as SQLiteSession
from outlast.sessions.sqlite import newest_items as newest_items
from outlast.sessions.sqlite import rewriting as rewriting
from outlast.sessions.sqlite import transaction as transaction
