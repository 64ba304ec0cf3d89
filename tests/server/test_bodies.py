"""A request whose body cannot be used is told why, and what is expected."""

import pytest
from tests.server.conftest import desk_of, served

from outlast.server import App


@pytest.mark.parametrize(
    ("body", "kind", "status", "said"),
    [
        ("{bad", "application/json", 400, "The body is not JSON."),
        ("{bad", "application/x-www-form-urlencoded", 422, "The body is not a JSON object."),
        ("{}", "text/plain", 422, "The body is not a JSON object."),
        ('{"input": "a", "max_turns": "x"}', "application/json", 422, "/max_turns: "),
    ],
)
async def test_a_body_that_cannot_be_used_is_told_why(body, kind, status, said):
    async with served(App(agents=[desk_of()])) as client:
        refused = await client.post("/api/v1/runs", content=body, headers={"Content-Type": kind})
    assert refused.status_code == status
    assert said in refused.json()["detail"]
