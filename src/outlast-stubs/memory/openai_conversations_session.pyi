# Written by `python tests/public_names.py`. The module has no file.
from outlast.sessions.conversations import OpenAIConversationsSession as OpenAIConversationsSession
from outlast.sessions.conversations import start_openai_conversations_session as start_openai_conversations_session
