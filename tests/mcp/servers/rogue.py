"""A stdio server that misbehaves in the way that its first argument names. The rest of it is fine."""

import json
import os
import signal
import subprocess
import sys
import time

HOW = sys.argv[1]
SCHEMA = {"type": "object", "properties": {}}
seen = {"calls": 0, "lists": 0}
TEXT = {"type": "text", "text": "fine"}


def write(line):
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def send(**message):
    write(json.dumps({"jsonrpc": "2.0", **message}))


def answer(request, result):
    send(id=request["id"], result=result)


def fail(request, text, code=-32603):
    send(id=request["id"], error={"code": code, "message": text})


def hang(*_):
    time.sleep(600)


def leave(*_):
    print("boom: no licence \x1b[31mred\x1b[0m", file=sys.stderr, flush=True)
    os._exit(3)


def initialize(request):
    if HOW == "handshake hangs":
        hang()
    if HOW == "handshake dies":
        leave()
    if HOW == "handshake is refused":
        return fail(request, "go away \x07")
    if HOW == "handshake is garbage":
        return answer(request, {"nothing": "of use"})
    version = "1999-01-01" if HOW == "another protocol" else request["params"]["protocolVersion"]
    return answer(
        request,
        {
            "protocolVersion": version,
            "capabilities": {"tools": {"listChanged": True}},
            "serverInfo": {"name": "rogue", "version": "1"},
        },
    )


def list_tools(request):
    seen["lists"] += 1
    tool = {"name": "act", "inputSchema": SCHEMA, "description": "Act."}
    number = seen["lists"]
    special = {
        "list hangs": hang,
        "list dies": leave,
        "list is refused": lambda r: fail(r, "no list today"),
        "list is garbage": lambda r: answer(r, {"tools": "many"}),
        "cursor loops": lambda r: answer(r, {"tools": [tool], "nextCursor": "again"}),
        "pages without end": lambda r: answer(
            r, {"tools": [{**tool, "name": f"act{number}"}], "nextCursor": str(number)}
        ),
        "a name twice": lambda r: answer(r, {"tools": [tool, {**tool, "description": "Other."}]}),
    }
    if HOW in special:
        return special[HOW](request)
    tools = [tool] if HOW != "list changes" or number == 1 else [tool, {**tool, "name": "more"}]
    return answer(request, {"tools": tools})


def late(request):
    seen["calls"] += 1
    if seen["calls"] == 1:
        time.sleep(4.5)
        return answer(request, {"content": [{"type": "text", "text": "late"}]})
    return answer(request, {"content": [TEXT]})


def close(request):
    os.close(1)
    hang()


def changed(request):
    send(method="notifications/tools/list_changed")
    answer(request, {"content": [TEXT]})


def noisy(request):
    write("DEBUG: not a message at all")
    write("{")
    write('{"jsonrpc": "2.0"}')
    answer(request, {"content": [TEXT]})


def twice(request):
    answer(request, {"content": [TEXT]})
    answer(request, {"content": [TEXT]})


def flood(request):
    for number in range(3_000):
        send(method="notifications/message", params={"level": "info", "data": str(number)})
    answer(request, {"content": [TEXT]})


def shout(request):
    for _ in range(200):
        os.write(2, b"x" * 50_000)
    answer(request, {"content": [TEXT]})


def leave_child(request):
    subprocess.Popen(["sleep", "60"], start_new_session=True)
    os._exit(9)


def half(request):
    sys.stdout.write('{"jsonrpc": "2.0", "id": ')
    sys.stdout.flush()
    hang()


big = {"type": "text", "text": "x" * 50_000_000 if "50 MB" in HOW else ""}
CALLS = {
    "call hangs": hang,
    "call dies": leave,
    "call dies, and a child of it holds its pipes": leave_child,
    "call is late": late,
    "call closes the stream": close,
    "call is refused": lambda r: fail(r, "not now \x1b[2J"),
    "call is garbage": lambda r: answer(r, {"content": 7}),
    "call is answered twice": twice,
    "call is answered under another id": lambda r: answer({"id": 4711}, {"content": [TEXT]}),
    "call is answered in half": half,
    "call is answered with noise": noisy,
    "call is answered with 50 MB": lambda r: answer(r, {"content": [big]}),
    "call is answered with 50 MB, its id behind": lambda r: write(
        json.dumps({"jsonrpc": "2.0", "result": {"content": [big]}, "id": r["id"]})
    ),
    "call is answered with 2,000 blocks": lambda r: answer(r, {"content": [TEXT] * 2_000}),
    "call floods notifications": flood,
    "call shouts on stderr": shout,
    "list changes": changed,
}


def begin():
    if HOW == "start dies":
        leave()
    if HOW == "start says garbage":
        for _ in range(50):
            write("welcome to the best server there is")
    while HOW == "start says nothing else than garbage":
        write("welcome")
        time.sleep(0.1)
    if HOW == "end is ignored":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if HOW == "end leaves a child":
        print(subprocess.Popen(["sleep", "600"]).pid, file=sys.stderr, flush=True)


def fine(request):
    answer(request, {"content": [TEXT]})


METHODS = {
    "initialize": initialize,
    "tools/list": list_tools,
    "tools/call": CALLS.get(HOW, fine),
}


def main():
    begin()
    for line in sys.stdin:
        request = json.loads(line)
        method = request.get("method")
        if method in METHODS:
            METHODS[method](request)
            if HOW == "nothing is read" and method == "tools/list":
                os.kill(os.getpid(), signal.SIGSTOP)
        elif "id" in request:
            fail(request, "Method not found", -32601)
    while HOW == "end is ignored":
        time.sleep(1)


main()
