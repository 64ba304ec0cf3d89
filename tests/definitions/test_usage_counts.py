"""Usage counts tokens without importing openai until somebody reads the details."""

import subprocess
import sys

import pytest
from openai.types.responses.response_usage import InputTokensDetails, OutputTokensDetails

from outlast.core.events import UsageFacts
from outlast.core.usage import (
    RequestUsage,
    Usage,
    copy_usage,
    deserialize_usage,
    facts_of,
    serialize_usage,
    task_usage_to_span_data,
    usage_of,
)

FACTS = UsageFacts(
    requests=1,
    input_tokens=10,
    output_tokens=4,
    total_tokens=14,
    cached_tokens=3,
    cache_write_tokens=2,
    reasoning_tokens=1,
)


def test_adding_sums_every_count():
    total = usage_of(FACTS)
    total.add(usage_of(FACTS))
    assert facts_of(total) == UsageFacts(
        requests=2,
        input_tokens=20,
        output_tokens=8,
        total_tokens=28,
        cached_tokens=6,
        cache_write_tokens=4,
        reasoning_tokens=2,
    )


def test_adding_one_request_keeps_an_entry_for_it():
    total = Usage()
    total.add(usage_of(FACTS))
    assert [each.total_tokens for each in total.request_usage_entries] == [14]
    assert total.request_usage_entries[0].input_tokens_details.cached_tokens == 3


@pytest.mark.parametrize("requests", [0, 2])
def test_adding_anything_but_one_request_keeps_no_entry(requests):
    total = Usage()
    total.add(Usage(requests=requests, total_tokens=5))
    assert total.request_usage_entries == []


def test_a_details_object_that_was_read_counts_as_it_is_now():
    usage = usage_of(FACTS)
    usage.input_tokens_details.cached_tokens = 9
    usage.output_tokens_details.reasoning_tokens = 8
    total = Usage()
    total.add(usage)
    assert (facts_of(total).cached_tokens, facts_of(total).reasoning_tokens) == (9, 8)


def test_details_that_lack_counts_count_zero():
    loose = InputTokensDetails.model_construct(cached_tokens=None)
    usage = Usage(
        input_tokens_details=loose,
        output_tokens_details=OutputTokensDetails.model_construct(reasoning_tokens=None),
    )
    assert usage.input_tokens_details.cached_tokens == 0
    assert usage.output_tokens_details.reasoning_tokens == 0


def test_a_request_needs_its_details():
    with pytest.raises(TypeError):
        RequestUsage(1, 2, 3)  # pyright: ignore[reportCallIssue]


def test_a_copy_shares_nothing():
    usage = Usage()
    usage.add(usage_of(FACTS))
    copied = copy_usage(usage)
    assert copied == usage
    copied.request_usage_entries[0].input_tokens = 99
    copied.add(usage_of(FACTS))
    assert usage.request_usage_entries[0].input_tokens == 10
    assert usage.requests == 1


def test_json_comes_back_as_it_was():
    usage = Usage()
    usage.add(usage_of(FACTS))
    assert deserialize_usage(serialize_usage(usage)) == usage


def test_json_without_fields_counts_zero():
    assert deserialize_usage({"requests": 2, "input_tokens_details": []}) == Usage(requests=2)


def test_a_run_s_span_shows_all_totals():
    assert task_usage_to_span_data(usage_of(FACTS)) == {
        "requests": 1,
        "input_tokens": 10,
        "output_tokens": 4,
        "total_tokens": 14,
        "cached_input_tokens": 3,
        "cache_write_input_tokens": 2,
    }


def test_counting_imports_no_openai():
    code = (
        "import sys\n"
        "from outlast.core.usage import Usage\n"
        "a = Usage(requests=1, total_tokens=3); b = Usage(); b.add(a)\n"
        "assert 'openai' not in sys.modules and 'pydantic' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
