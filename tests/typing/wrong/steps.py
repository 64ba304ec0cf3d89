"""Mistakes with steps. Each line marked `# wrong: RULE` has to fail to check, and no other line."""

from outlast import ToolContext, function_tool


def charge(order: str, cents: int) -> bool:
    return bool(order) and cents > 0


async def mail(order: str) -> bool:
    return bool(order)


@function_tool
async def settle(ctx: ToolContext[None], order: str) -> str:
    """Settle an order."""
    is_charged = await ctx.step("charge", charge, order, 5)
    is_charged.upper()  # wrong: reportAttributeAccessIssue
    (await ctx.step("mail", mail, order)).upper()  # wrong: reportAttributeAccessIssue
    await ctx.step("charge again", charge, 5, order)  # wrong: reportArgumentType, reportCallIssue
    ctx.step_sync("sync", charge, order, 5).upper()  # wrong: reportAttributeAccessIssue
    return order
