"""Names of models, keys, and what is said when one is missing."""

from __future__ import annotations

import subprocess
import sys

import openai
import pytest

from outlast import MultiProvider, OpenAIProvider, OpenAIResponsesModel, UserError
from outlast.models.defaults import reset_defaults, set_default_openai_key
from outlast.models.offline import OfflineModel
from outlast.models.provider import shared_http_client


@pytest.fixture(autouse=True)
def fresh_defaults() -> None:
    reset_defaults()


def test_a_missing_key_names_every_way_on() -> None:
    with pytest.raises(UserError, match="OPENAI_API_KEY") as caught:
        MultiProvider().get_model("gpt-5")
    assert "OUTLAST_OFFLINE=1" in str(caught.value)
    assert "model='offline'" in str(caught.value)
    assert isinstance(caught.value, openai.OpenAIError)


def test_offline_needs_no_key() -> None:
    assert isinstance(MultiProvider().get_model("offline"), OfflineModel)


@pytest.mark.parametrize("name", [None, "gpt-5", "openai/gpt-5", "unknown/x"])
def test_the_environment_can_make_every_name_offline(
    name: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OUTLAST_OFFLINE", "1")
    assert isinstance(MultiProvider().get_model(name), OfflineModel)


def test_the_default_key_is_used_and_no_redirect_is_followed() -> None:
    set_default_openai_key("sk-test", use_for_tracing=False)
    model = OpenAIProvider().get_model("gpt-5")
    assert isinstance(model, OpenAIResponsesModel)
    assert model._client.api_key == "sk-test"
    assert shared_http_client().follow_redirects is False


def test_an_unknown_prefix_is_refused_with_the_way_to_allow_it() -> None:
    with pytest.raises(UserError, match="Unknown prefix: acme") as caught:
        MultiProvider(openai_api_key="k").get_model("acme/x")
    assert "unknown_prefix_mode='model_id'" in str(caught.value)


def test_making_a_provider_imports_no_heavy_library() -> None:
    code = (
        "import sys; from outlast.models.provider import MultiProvider; MultiProvider(); "
        "print(sorted({'openai', 'pydantic', 'mcp', 'griffe'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
