# Written by `python tests/public_names.py`. The module has no file.
from outlast.definitions.retry import ModelRetryAdvice as ModelRetryAdvice
from outlast.definitions.retry import ModelRetryAdviceRequest as ModelRetryAdviceRequest
from outlast.definitions.retry import ModelRetryBackoffInput as ModelRetryBackoffInput
from outlast.definitions.retry import ModelRetryBackoffSettings as ModelRetryBackoffSettings
from outlast.definitions.retry import ModelRetryNormalizedError as ModelRetryNormalizedError
from outlast.definitions.retry import ModelRetrySettings as ModelRetrySettings
from outlast.definitions.retry import ReplaySafety as ReplaySafety
from outlast.definitions.retry import RetryAnswer as RetryAnswer
from outlast.definitions.retry import RetryDecision as RetryDecision
from outlast.definitions.retry import RetryPolicy as RetryPolicy
from outlast.definitions.retry import RetryPolicyContext as RetryPolicyContext
from outlast.definitions.retry import decide as decide
from outlast.definitions.retry import retry_policies as retry_policies
from outlast.definitions.retry import retry_policy_retries_all_transient_errors as retry_policy_retries_all_transient_errors
from outlast.definitions.retry import retry_policy_retries_safe_transport_errors as retry_policy_retries_safe_transport_errors
