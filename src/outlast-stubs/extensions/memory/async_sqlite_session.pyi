# Written by `python tests/public_names.py`. The module has no file.
from outlast.sessions.async_sqlite import AsyncSQLiteSession as AsyncSQLiteSession
