# Written by `python tests/public_names.py`. The module has no file.
from outlast.sessions.advanced_sqlite import AdvancedSQLiteSession as AdvancedSQLiteSession
from outlast.sessions.advanced_sqlite import HasUsage as HasUsage
