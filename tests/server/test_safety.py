"""Who is let in, and what is refused before anything is done."""

from pathlib import Path

import pytest
from tests.server.conftest import desk_of, served

from outlast.server import App, Caller
from outlast.server.shield import Limits
from outlast.testing import ScriptedModel, assistant_message

OPEN = {"/livez", "/readyz"}
"""What anybody may ask who reaches the port."""


def routes(app: App) -> list[tuple[str, str]]:
    return [
        (method.lower(), path)
        for path, methods in app.api.openapi()["paths"].items()
        for method in methods
        if path not in OPEN
    ]


async def test_every_route_wants_a_key_and_a_scope_of_its_own():
    app = App(agents=[desk_of()], auth=_by_header)
    async with served(app) as client:
        for method, path in routes(app):
            place = path.replace("{", "").replace("}", "").replace(":path", "")
            nobody = await client.request(method, place)
            assert nobody.status_code == 401, (method, path)
            useless = await client.request(method, place, headers={"X-Who": "eve"}, json={})
            assert useless.status_code == 403, (method, path)
            assert "the scope" in useless.text, (method, path)


def _by_header(request):
    who = request.headers.get("x-who")
    scopes = frozenset({"*"}) if who != "eve" else frozenset[str]()
    return Caller(who, tenant=request.headers.get("x-tenant"), scopes=scopes) if who else None


async def test_the_runs_of_another_tenant_are_not_there():
    model = ScriptedModel([[assistant_message("Done.")]])
    async with served(App(agents=[desk_of(model)], auth=_by_header)) as client:
        north, south = ({"X-Who": "ada", "X-Tenant": name} for name in ("north", "south"))
        body = {"input": "Hello", "run_id": "r-1", "session_id": "s-1"}
        await client.post("/api/v1/runs", json=body, headers={**north, "Prefer": "wait=30"})
        for path in ("", "/events", "/items", "/approvals"):
            place = f"/api/v1/runs/r-1{path}"
            assert (await client.get(place, headers=north)).status_code == 200
            assert (await client.get(place, headers=south)).status_code == 404
        for word, text in (
            ("cancel", "{}"),
            ("input", '{"text": "x"}'),
            ("pause", "{}"),
            ("resume", "{}"),
        ):
            json = {"Content-Type": "application/json"}
            told = await client.post(
                f"/api/v1/runs/r-1/{word}", content=text, headers={**south, **json}
            )
            assert told.status_code == 404, word
        for place in ("/api/v1/runs", "/api/v1/approvals", "/api/v1/sessions"):
            assert (await client.get(place, headers=south)).json()["data"] == []
        assert (await client.get("/api/v1/sessions/s-1/items", headers=south)).status_code == 404
        taken = await client.post("/api/v1/runs", json=body, headers=south)
        assert taken.status_code == 409
        assert "Hello" not in taken.text


async def test_one_id_is_another_conversation_for_each_tenant():
    model = ScriptedModel([[assistant_message(f"Answer {n}.")] for n in range(4)])
    async with served(App(agents=[desk_of(model)], auth=_by_header)) as client:
        for n, tenant in enumerate(("north", "south", "", "north")):
            who = {"X-Who": "ada", **({"X-Tenant": tenant} if tenant else {})}
            body = {"input": f"I am of {tenant}.", "run_id": f"r-{n}", "session_id": "s-1"}
            await client.post("/api/v1/runs", json=body, headers={**who, "Prefer": "wait=30"})
        kept = {
            tenant: (
                await client.get(
                    "/api/v1/sessions/s-1/items", headers={"X-Who": "ada", "X-Tenant": tenant}
                )
            ).json()["data"]
            for tenant in ("north", "south")
        }
        assert [item["content"] for item in kept["north"] if item["role"] == "user"] == [
            "I am of north."
        ] * 2
        assert "north" not in str(kept["south"])
        assert len(kept["south"]) == 2


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:1", 200), ("localhost", 200), ("[::1]:8400", 200), ("shop.example", 200),
        ("evil.example", 421), ("localhost.evil.example", 421), ("127.0.0.1.evil.example", 421), ("", 421),
    ],
)  # fmt: skip
async def test_only_names_of_this_machine_and_those_that_were_told_are_answered(
    host: str, status: int
):
    async with served(App(agents=[desk_of()], hosts=["shop.example"])) as client:
        answer = await client.get("/livez", headers={"Host": host})
    assert answer.status_code == status


async def test_what_is_too_large_is_refused_before_it_is_read():
    limits = Limits(body_bytes=1000, url_bytes=300, header_bytes=2000)
    async with served(App(agents=[desk_of()], limits=limits)) as client:

        async def parts():
            for _ in range(20):
                yield b"x" * 100

        json = {"Content-Type": "application/json"}
        sent = [
            client.post("/api/v1/runs", content=b"x" * 1001, headers=json),
            client.post("/api/v1/runs", content=parts(), headers=json),
            client.get("/livez?" + "x" * 300),
            client.get("/livez", headers={"X-Long": "x" * 2000}),
        ]
        answers = [await each for each in sent]
    assert [answer.status_code for answer in answers] == [413, 413, 414, 431]
    assert {answer.headers["content-type"] for answer in answers} == {"application/problem+json"}


async def test_every_answer_has_the_id_of_its_request_and_what_browsers_are_to_know():
    async with served(App(agents=[desk_of()])) as client:
        named = await client.get("/api/v1/runs/none", headers={"X-Request-Id": "req-1"})
        other = await client.get("/livez", headers={"X-Request-Id": "no good\tid"})
        deep = await client.post(
            "/api/v1/runs", content=b"[" * 100_000, headers={"Content-Type": "application/json"}
        )
    assert named.headers["x-request-id"] == named.json()["request_id"] == "req-1"
    assert len(other.headers["x-request-id"]) == 32
    assert named.headers["x-content-type-options"] == "nosniff"
    assert deep.status_code == 400


async def test_the_token_is_in_a_file_that_only_its_owner_reads(outlast_home: Path):
    app = App(agents=[desk_of()])
    file = outlast_home / "server.token"
    assert app.token == App(agents=[desk_of()]).token == file.read_text()
    assert file.stat().st_mode & 0o777 == 0o600


async def test_pages_of_other_origins_are_let_in_by_name_only():
    app = App(agents=[desk_of()], cors=["https://shop.example"])
    async with served(app) as client:
        asked = [
            await client.options(
                "/api/v1/runs", headers={"Origin": origin, "Access-Control-Request-Method": "POST"}
            )
            for origin in ("https://shop.example", "https://shop.example.evil", "null")
        ]
    allowed = [answer.headers.get("access-control-allow-origin") for answer in asked]
    assert allowed == ["https://shop.example", None, None]
