"""Model settings check themselves, override each other, and cost no import until asked."""

import subprocess
import sys
from dataclasses import dataclass

import pytest
from openai.types.shared import Reasoning
from pydantic import BaseModel, TypeAdapter, ValidationError

from outlast.definitions.default_models import (
    are_default_settings,
    default_settings_for,
    get_default_model_settings,
)
from outlast.definitions.retry import ModelRetrySettings, retry_policies
from outlast.definitions.settings import MCPToolChoice, ModelSettings, settings_from


@pytest.mark.parametrize(
    "wrong",
    [
        {"temperature": "warm"},
        {"max_tokens": 1.5},
        {"truncation": "sometimes"},
        {"timeout": 0},
        {"timeout": float("inf")},
        {"metadata": {"a": 1}},
        {"tool_choice": 5},
        {"retry": 5},
        {"reasoning": {"effort": "huge"}},
    ],
)
def test_a_value_that_makes_no_sense_is_refused(wrong):
    with pytest.raises(ValidationError):
        ModelSettings(**wrong)


def test_a_value_that_can_be_converted_is():
    settings = ModelSettings(temperature="0.5", timeout=3, max_tokens="7")
    assert (settings.temperature, settings.timeout, settings.max_tokens) == (0.5, 3.0, 7)


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"temperatur": 1, "b": 2}, "Unknown model settings: b, temperatur"),
        ({"tool_choice": {"nam": 1}}, "Unknown model settings in tool_choice: nam"),
        ({"prompt_cache_options": {"tt": 1}}, "in prompt_cache_options: tt"),
        ({"context_management": [{"t": 1}]}, r"in context_management\[0\]: t"),
    ],
)
def test_a_misspelt_name_in_a_dict_is_refused(given, text):
    with pytest.raises(TypeError, match=text):
        settings_from(given, "settings")


def test_what_is_neither_settings_nor_dict_is_refused():
    with pytest.raises(TypeError, match="must be a ModelSettings instance or a dict, got int"):
        ModelSettings().resolve(5)


def test_an_override_replaces_what_it_sets():
    base = ModelSettings(temperature=0.5, extra_args={"a": 1, "b": 1}, extra_body={"x": 1})
    over = ModelSettings(top_p=0.9, extra_args={"b": 2}, extra_body={"y": 1})
    resolved = base.resolve(over)
    assert (resolved.temperature, resolved.top_p) == (0.5, 0.9)
    assert resolved.extra_args == {"a": 1, "b": 2}
    assert resolved.extra_body == {"y": 1}
    assert base.top_p is None


def test_an_override_keeps_a_subclass():
    @dataclass(eq=False)
    class Mine(ModelSettings):
        flavour: str | None = None

    resolved = Mine(flavour="mint").resolve({"temperature": 0.1})
    assert type(resolved) is Mine
    assert (resolved.flavour, resolved.temperature) == ("mint", 0.1)


def test_traces_show_no_secrets():
    settings = ModelSettings(extra_headers={"Authorization": "Bearer x"}, temperature=0.1)
    assert settings.to_json_dict()["extra_headers"] == {"Authorization": "Bearer x"}
    assert "extra_headers" not in settings.to_traceable_dict()


def test_a_policy_is_not_part_of_the_json():
    settings = ModelSettings(
        retry=ModelRetrySettings(max_retries=1, policy=retry_policies.never()),
        tool_choice=MCPToolChoice("books", "search"),
        reasoning=Reasoning(effort="low"),
    )
    found = settings.to_json_dict()
    assert found["retry"] == {"max_retries": 1, "backoff": None}
    assert found["tool_choice"] == {"server_label": "books", "name": "search"}
    assert found["reasoning"]["effort"] == "low"


def test_pydantic_models_may_hold_settings():
    class Holder(BaseModel):
        settings: ModelSettings

    held = Holder(settings={"temperature": 0.5})
    assert Holder.model_validate_json(held.model_dump_json()) == held
    assert TypeAdapter(ModelSettings).validate_python(held.settings) is held.settings
    with pytest.raises(ValidationError):
        Holder(settings=5)


def test_each_caller_gets_settings_of_its_own():
    first, second = get_default_model_settings("gpt-5"), get_default_model_settings("gpt-5")
    assert first == second
    first.temperature = 1.0
    assert second.temperature is None


def test_defaults_are_recognised_before_and_after_somebody_looks_at_them():
    settings = default_settings_for("gpt-5.1")
    assert are_default_settings(settings, "gpt-5.1")
    assert settings.reasoning.effort == "none"
    assert are_default_settings(settings, "gpt-5.1")
    assert not are_default_settings(settings, "gpt-5")
    assert not are_default_settings(settings, object())


def test_the_defaults_of_a_model_import_no_openai():
    code = (
        "import sys\n"
        "from outlast.definitions.default_models import are_default_settings as are\n"
        "from outlast.definitions.default_models import get_default_model_settings as default\n"
        "assert are(default(), None)\n"
        "assert 'openai' not in sys.modules and 'pydantic' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
