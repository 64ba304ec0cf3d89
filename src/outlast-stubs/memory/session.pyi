# Written by `python tests/public_names.py`. The module has no file.
from outlast.sessions.session import OpenAIResponsesCompactionArgs as OpenAIResponsesCompactionArgs
from outlast.sessions.session import OpenAIResponsesCompactionAwareSession as OpenAIResponsesCompactionAwareSession
from outlast.sessions.session import OpenAIResponsesCompactionMode as OpenAIResponsesCompactionMode
from outlast.sessions.session import SelectiveSession as SelectiveSession
from outlast.sessions.session import Session as Session
from outlast.sessions.session import SessionABC as SessionABC
from outlast.sessions.session import SessionInputCallback as SessionInputCallback
from outlast.sessions.session import SessionLike as SessionLike
from outlast.sessions.session import SessionSettings as SessionSettings
from outlast.sessions.session import SyncedSession as SyncedSession
from outlast.sessions.session import accepts_wrapper as accepts_wrapper
from outlast.sessions.session import ask_session as ask_session
from outlast.sessions.session import is_openai_responses_compaction_aware_session as is_openai_responses_compaction_aware_session
from outlast.sessions.session import session_id_of as session_id_of
from outlast.sessions.session import session_settings_from as session_settings_from
from outlast.sessions.session import takes_wrapper as takes_wrapper
