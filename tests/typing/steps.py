"""What a step of a tool returns is what its function returns. It only has to type-check."""

import asyncio
from typing import Any, assert_type

from pydantic import BaseModel

from outlast import ToolContext, function_tool


class Receipt(BaseModel):
    number: str


def charge(order: str, cents: int = 0) -> Receipt:
    return Receipt(number=f"{order}-{cents}")


async def mail(receipt: Receipt, *, subject: str = "") -> bool:
    await asyncio.sleep(0)
    return bool(receipt.number + subject)


def untyped(order: str) -> Any:
    return {"number": order}


@function_tool
async def settle(ctx: ToolContext[None], order: str) -> str:
    """Settle an order."""
    assert_type(await ctx.step("count", len, order), int)
    assert_type(await ctx.step("charge", charge, order), Receipt)
    assert_type(await ctx.step("charge more", charge, order, 5), Receipt)
    receipt = await ctx.step("again", lambda: charge(order))
    assert_type(receipt, Receipt)
    assert_type(await ctx.step("mail", mail, receipt), bool)
    assert_type(await ctx.step("read", untyped, order, returns=Receipt), Receipt)
    assert_type(await ctx.step("read all", untyped, order, returns=list[Receipt]), list[Receipt])
    sent: list[Receipt] = []
    await ctx.step("note", sent.append, receipt)
    return receipt.number


@function_tool
def settle_in_a_thread(ctx: ToolContext[None], order: str) -> str:
    """Settle an order."""
    assert_type(ctx.step_sync("count", len, order), int)
    assert_type(ctx.step_sync("read", untyped, order, returns=Receipt), Receipt)
    return ctx.step_sync("charge", charge, order, 5).number
