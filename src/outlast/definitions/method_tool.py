"""A tool that is a method of a class: decorated in the class's body, bound when it is looked up.

class Shop:
    @function_tool
    def price(self, article: str) -> str: ...

Agent(name="Clerk", tools=[Shop().price])
"""

from __future__ import annotations

from typing import Any

from outlast.definitions.function_tool import FunctionBody, FunctionTool, ToolInvoker


class MethodTool(FunctionTool):
    """A tool that cannot be called yet: it lacks the object, or the class, that it belongs to."""

    def __get__(self, instance: object, owner: type[Any] | None = None) -> FunctionTool:
        """The tool of ``instance``; of the class, if it is a class method."""
        invoker = self.on_invoke_tool
        assert isinstance(invoker, ToolInvoker)
        assert isinstance(invoker.body, FunctionBody)
        is_of_class = invoker.body.handler.owner == "class"
        kind: Any = instance.__class__ if owner is None else owner
        target: Any = kind if is_of_class else instance
        if target is None:
            return self  # Shop.price: the class alone was asked.
        bound = object.__new__(FunctionTool)
        bound.__dict__.update(self.__dict__)
        body = invoker.body.bound_to(target)
        bound.on_invoke_tool = ToolInvoker(body, bound, invoker.original)
        return bound
