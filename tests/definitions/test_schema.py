"""From signatures to schemas: the quick way, pydantic's way, and what is refused."""

import enum
import warnings
from collections.abc import Callable
from inspect import Parameter
from keyword import iskeyword
from typing import Annotated, Any, Literal, Optional

import pytest
from hypothesis import given, settings, strategies as st
from pydantic import BaseModel, Field, create_model

from outlast.core.errors import ModelBehaviorError, UserError
from outlast.definitions.context import RunContextWrapper, ToolContext
from outlast.definitions.plain_schema import plain_schema
from outlast.definitions.schema import function_schema

PLAIN = st.recursive(
    st.sampled_from([str, int, float, bool, Any, Literal["a"], Literal["a", "b"], Literal[1, 2]]),
    lambda inner: inner.map(lambda kind: list[kind]) | inner.map(lambda kind: Optional[kind]),  # noqa: UP045
    max_leaves=3,
)
DEFAULTS = st.just(Parameter.empty) | st.none() | st.text() | st.integers() | st.booleans()
NAMES = st.from_regex(r"[a-z][a-zA-Z0-9_]{0,12}", fullmatch=True).filter(
    lambda name: not iskeyword(name)
)


@given(st.dictionaries(NAMES, st.tuples(PLAIN, DEFAULTS), max_size=4))
@settings(deadline=None)
def test_the_quick_schema_is_pydantics(fields: dict[str, tuple[Any, Any]]):
    parameters = [
        (Parameter(name, Parameter.KEYWORD_ONLY, default=default), kind)
        for name, (kind, default) in fields.items()
    ]
    quick = plain_schema("f", parameters)
    if quick is None:
        return  # A name that pydantic has something to say about.
    model: Any = create_model(
        "f_args",
        **{
            name: kind if default is Parameter.empty else (kind, default)
            for name, (kind, default) in fields.items()
        },
    )
    assert quick == model.model_json_schema()


class Size(enum.StrEnum):
    SMALL = "s"


@pytest.mark.parametrize(
    ("kind", "default"),
    [(Size, Parameter.empty), (str, Size.SMALL), (dict[str, int], Parameter.empty), (list, None)],
)
def test_what_is_not_plain_is_left_to_pydantic(kind: Any, default: Any):
    parameter = Parameter("x", Parameter.KEYWORD_ONLY, default=default)
    assert plain_schema("f", [(parameter, kind)]) is None


def test_names_that_models_have_themselves_are_left_to_pydantic_which_warns():
    def f(schema: int) -> None: ...

    with pytest.warns(UserWarning, match="schema"):
        assert "schema" in function_schema(f).params_json_schema["properties"]


class Place(BaseModel):
    city: str


def test_descriptions_come_from_the_docstring_then_the_annotation_then_the_field():
    def f(
        a: Annotated[int, "annotated"] = Field(1, description="field"),
        b: Annotated[int, "annotated"] = Field(1, description="field"),
        c: int = Field(1, description="field"),
    ) -> None:
        """Do.

        Args:
            a: documented
        """

    properties = function_schema(f).params_json_schema["properties"]
    assert [properties[name]["description"] for name in "abc"] == [
        "documented",
        "annotated",
        "field",
    ]


def test_a_description_reaches_the_alias_of_a_parameter():
    def f(target: Annotated[str, Field(alias="endpoint"), "Where to."]) -> None: ...

    assert (
        function_schema(f).params_json_schema["properties"]["endpoint"]["description"]
        == "Where to."
    )


@pytest.mark.parametrize("kind", [RunContextWrapper, ToolContext[int], Annotated[ToolContext, "x"]])
def test_a_first_parameter_that_is_a_context_is_no_argument(kind: Any):
    def f(c: Any, x: int) -> None: ...

    f.__annotations__["c"] = kind
    schema = function_schema(f)
    assert schema.takes_context
    assert list(schema.params_json_schema["properties"]) == ["x"]


def late_context(x: int, c: RunContextWrapper) -> None: ...
def underscored(_x: int) -> None: ...
def pairs(*x: tuple[int, str]) -> None: ...
def extras(**x: int) -> None: ...
def mapping(x: dict[str, int]) -> None: ...


@pytest.mark.parametrize("func", [late_context, underscored, pairs, extras, mapping, "text"])
def test_signatures_without_a_schema_are_refused_where_they_are_defined(func: Any):
    with pytest.raises(UserError):
        function_schema(func)


def call(func: Callable[..., Any], **sent: Any) -> Any:
    schema = function_schema(func, strict_json_schema=False)
    args, kwargs = schema.to_call_args(schema.params_pydantic_model(**sent))
    return func(*args, **kwargs)


def everything(a: int, /, b: Place, *c: int, d: str = "d", **e: float) -> Any:
    return a, b, c, d, e


def test_every_kind_of_parameter_gets_its_value():
    sent = {"a": "1", "b": {"city": "Bonn"}, "c": [2, 3], "e": {"f": 4}}
    assert call(everything, **sent) == (1, Place(city="Bonn"), (2, 3), "d", {"f": 4.0})


def test_a_keyword_that_repeats_a_parameter_is_the_models_mistake():
    with pytest.raises(ModelBehaviorError, match="'d'"):
        call(everything, a=1, b={"city": "Bonn"}, e={"d": 1})


class Doubler:
    """Doubles."""

    def __call__(self, x: int) -> int:
        """Call it.

        Args:
            x: What to double.
        """
        return 2 * x


def test_an_object_is_documented_by_its_class_and_its_call():
    schema = function_schema(Doubler())
    assert (schema.name, schema.description) == ("Doubler", "Doubles.")
    assert schema.params_json_schema["properties"]["x"]["description"] == "What to double."


def test_defining_a_tool_warns_of_nothing():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        function_schema(everything, strict_json_schema=False)
