# Written by `python tests/public_names.py`. The module has no file.
from outlast.sessions.backends import AdvancedSQLiteSession as AdvancedSQLiteSession
from outlast.sessions.backends import AsyncSQLiteSession as AsyncSQLiteSession
from outlast.sessions.backends import DAPR_CONSISTENCY_EVENTUAL as DAPR_CONSISTENCY_EVENTUAL
from outlast.sessions.backends import DAPR_CONSISTENCY_STRONG as DAPR_CONSISTENCY_STRONG
from outlast.sessions.backends import DaprSession as DaprSession
from outlast.sessions.backends import EncryptedSession as EncryptedSession
from outlast.sessions.backends import MongoDBSession as MongoDBSession
from outlast.sessions.backends import RedisSession as RedisSession
from outlast.sessions.backends import SQLAlchemySession as SQLAlchemySession
