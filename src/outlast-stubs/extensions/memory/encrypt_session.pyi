# Written by `python tests/public_names.py`. The module has no file.
from outlast.sessions.encrypted import EncryptedSession as EncryptedSession
