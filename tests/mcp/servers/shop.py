"""A shop as an MCP server, made with the library's own, in version 1 or 2.

    python shop.py stdio | sse PORT | streamable-http PORT

It writes a line for each call to the file that SHOP_LOG names.
"""

import asyncio
import json
import os
import sys
import time
from pathlib import Path

try:
    from mcp.server.mcpserver import Context, MCPServer as Server

    IS_V2 = True
except ImportError:
    from mcp.server.fastmcp import Context, FastMCP as Server

    IS_V2 = False
from mcp.types import ToolAnnotations

PORT = int(sys.argv[2]) if len(sys.argv) > 2 else 0
shop = Server("shop") if IS_V2 else Server("shop", host="127.0.0.1", port=PORT)


def note(name, **facts):
    path = os.environ.get("SHOP_LOG")
    if path:
        with Path(path).open("a") as log:
            log.write(json.dumps({"tool": name, "pid": os.getpid(), **facts}) + "\n")


def hints(**values):
    camel = {"read": "readOnlyHint", "again": "idempotentHint", "harm": "destructiveHint"}
    return ToolAnnotations(**{camel[key]: value for key, value in values.items()})


@shop.tool(annotations=hints(read=True))
def price(item: str) -> str:
    """What an item costs."""
    note("price", item=item)
    return f"{item}: 7 EUR"


@shop.tool(annotations=hints(harm=True))
async def order(item: str, ctx: Context) -> str:
    """Order an item."""
    meta = ctx.request_context.meta
    meta = meta if isinstance(meta, dict) or meta is None else meta.model_dump()
    note("order", item=item, meta=meta)
    await asyncio.sleep(float(os.environ.get("SHOP_DELAY", "0")))
    note("ordered", item=item)
    return f"ordered {item}"


@shop.tool()
async def pack(parts: int, ctx: Context, seconds: float = 0.0) -> str:
    """Pack parts, telling how far it is."""
    note("pack")
    for part in range(parts):
        await ctx.report_progress(part + 1, parts, f"part {part + 1}")
        await asyncio.sleep(seconds)
    return "packed"


@shop.tool()
async def doze(seconds: float) -> str:
    """Sleep."""
    note("doze")
    try:
        await asyncio.sleep(seconds)
    except BaseException as error:
        note("woken", by=type(error).__name__)
        raise
    return "slept"


@shop.tool(structured_output=False)
def sing(letters: int) -> str:
    """Sing a long song."""
    return "x" * letters


@shop.tool()
def break_it() -> str:
    """Fail."""
    raise ValueError("secret-of-the-server")


@shop.tool(structured_output=True)
def stock(item: str) -> dict[str, int]:
    """How many there are."""
    return {item: 3}


@shop.tool()
async def grow(ctx: Context) -> str:
    """Get one tool more."""
    note("grow")
    shop.add_tool(stock, name="more")
    await (ctx.notify_tools_changed() if IS_V2 else ctx.session.send_tool_list_changed())
    return "grown"


@shop.prompt()
def greet(name: str) -> str:
    """A greeting."""
    return f"Greet {name}."


@shop.resource("shop://hours")
def hours() -> str:
    """When it is open."""
    return "9 to 5"


@shop.resource("shop://items/{item}")
def about(item: str) -> str:
    """What an item is."""
    return f"about {item}"


def meet_others(place: Path, number: int) -> None:
    """Return once that many shops are being opened at the same time."""
    (place / str(os.getpid())).touch()
    while len([*place.iterdir()]) < number:
        time.sleep(0.02)


if __name__ == "__main__":
    if "SHOP_MEETS" in os.environ:
        meet_others(Path(os.environ["SHOP_MEETS_IN"]), int(os.environ["SHOP_MEETS"]))
    kind = sys.argv[1]
    if kind == "stdio":
        shop.run("stdio")
    elif IS_V2:
        shop.run(kind, host="127.0.0.1", port=PORT)
    else:
        shop.run(kind)
