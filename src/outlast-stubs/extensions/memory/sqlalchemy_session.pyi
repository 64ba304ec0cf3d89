# Written by `python tests/public_names.py`. The module has no file.
from outlast.sessions.sqlalchemy import SQLAlchemySession as SQLAlchemySession
