"""A scripted session with a sandbox: the methods of its script, checked steps, copies of calls."""

import io
from pathlib import Path
from typing import Any

import pytest

from outlast.sandbox import BaseSandboxSession, ExecResult, Manifest, Permissions
from outlast.testing import (
    InvalidSandboxStep,
    SandboxCallMatcherError,
    UnconsumedSandboxSteps,
    UnexpectedSandboxCall,
    scripted_sandbox_session,
)

DONE = ExecResult(stdout=b"ok", stderr=b"", exit_code=0)
METHODS = (
    "apply_patch", "exec", "ls", "mkdir", "mv", "pty_exec_start", "pty_write_stdin", "read", "rm",
    "same_file", "write",
)  # fmt: skip


@pytest.mark.parametrize("method", METHODS)
def test_a_session_has_the_methods_of_its_script_and_no_other(method: str):
    session = scripted_sandbox_session([{"method": method, "result": None}])
    pair = {"pty_exec_start", "pty_write_stdin"}
    expected = pair if method in pair else {method}
    assert {each for each in METHODS if hasattr(session, each)} == expected
    assert {*METHODS} & {*dir(session)} == expected
    assert session.supports_pty() is (method in pair)


async def test_a_call_takes_the_next_step_and_stays_in_the_script_if_it_is_refused():
    session = scripted_sandbox_session(
        [
            {"method": "exec", "match": lambda call: call.args == ("pwd",), "result": DONE},
            {"method": "read", "responder": lambda call: io.BytesIO(str(call.args[0]).encode())},
            {"method": "exec", "error": OSError("the sandbox is gone")},
        ]
    )
    with pytest.raises(SandboxCallMatcherError, match=r"call #1"):
        await session.exec("secret")
    with pytest.raises(UnexpectedSandboxCall, match="expected exec"):
        await session.read(Path("x"))
    with pytest.raises(UnconsumedSandboxSteps) as left:
        session.assert_complete()
    assert left.value.pending_methods == ("exec", "read", "exec")
    assert await session.exec("pwd") == DONE
    assert (await session.read(Path("x"))).read() == b"x"
    with pytest.raises(OSError, match="gone"):
        await session.exec("again")
    session.assert_complete()
    assert [call.call_index for call in session.calls] == [0, 1, 2, 3, 4]
    assert session.calls[-1].kwargs == {"timeout": None, "shell": True, "user": None}


@pytest.mark.parametrize("change", ["the content", "the position"])
async def test_streams_are_copied_when_they_are_queued_and_when_they_are_sent(change: str):
    stream = io.BytesIO(b"before")
    stream.seek(2)
    session = scripted_sandbox_session(
        [{"method": "write", "result": None}, {"method": "read", "result": stream}]
    )
    await session.write(Path("a"), stream)
    if change == "the content":
        stream.write(b"after")
    stream.close()
    found: Any = await session.read(Path("a"))
    for copied in (session.calls[0].args[1], found):
        assert (copied.getvalue(), copied.tell()) == (b"before", 2)


@pytest.mark.parametrize(
    ("step", "reason"),
    [
        (None, "invalid_input"),
        ({"method": "exec", "result": 1, "extra": 1}, "invalid_input"),
        ({"method": "persist_workspace", "result": 1}, "unknown_method"),
        ({"method": "exec", "result": 1, "match": io.BytesIO()}, "invalid_matcher"),
        ({"method": "exec"}, "invalid_outcome"),
        ({"method": "exec", "error": KeyboardInterrupt()}, "invalid_outcome"),
        ({"method": "exec", "result": io.BufferedReader(io.BytesIO())}, "invalid_outcome"),
    ],
)
def test_a_step_that_cannot_be_played_is_refused_where_it_is_written(step: Any, reason: str):
    with pytest.raises(InvalidSandboxStep, match="step #2") as caught:
        scripted_sandbox_session([{"method": "exec", "result": 1}, step])
    assert (caught.value.reason, caught.value.input_index) == (reason, 1)


async def test_a_session_runs_while_it_is_open_and_keeps_its_own_manifest():
    manifest = Manifest(root="/mine")
    session: BaseSandboxSession = scripted_sandbox_session(manifest=manifest)
    manifest.root = "/other"
    async with session:
        assert await session.running()
    assert not await session.running()
    assert session.normalize_path("a/../b") == Path("/mine/b")


def test_permissions_print_as_they_are_read():
    for text in ("-rwxr-x---", "drwxr-xr-x", "----------"):
        assert str(Permissions.from_str(text)) == text
    assert str(Permissions()) == "-rwx------"
    with pytest.raises(ValueError, match="letters"):
        Permissions.from_str("rwx")
