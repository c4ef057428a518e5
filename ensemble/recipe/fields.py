"""What the sections of a recipe are made of: number types, the base of all sections, errors of one sentence."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, JsonValue
from pydantic_core import PydanticCustomError

Count = Annotated[int, Field(ge=1)]
Seed = Annotated[int, Field(ge=0, lt=2**63)]
Name = Annotated[str, Field(min_length=1)]
Number = Annotated[float, Field(allow_inf_nan=False)]
NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Args = dict[str, JsonValue]


def expected(what: str, fits: Callable[[Any], bool]) -> BeforeValidator:
    """One error, ``expected <what>``, in place of one for each alternative of a union. Lists become tuples."""

    def check(value: Any) -> Any:
        if not fits(value):
            raise PydanticCustomError("expected", "expected {what}", {"what": what})
        return tuple(value) if isinstance(value, list) else value

    return BeforeValidator(check)


def is_number(value: Any) -> bool:
    """``true`` is none, though Python says so."""
    return isinstance(value, int | float) and not isinstance(value, bool)


class Settings(BaseModel):
    """A section of a recipe."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
