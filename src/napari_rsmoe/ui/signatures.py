"""Signatures of functions that take the parameters of a table as keywords, for help, editors and type checkers."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from types import GenericAlias
from typing import Any, Literal, Union

from .kinds.choices import Choice, Flag
from .kinds.numbers import FloatParameter, IntParameter, NoiseParameter, Numbers, PointSpread
from .kinds.parameter import Parameter
from .kinds.texts import Size


def signature_of(parameters: Sequence[Parameter]) -> inspect.Signature:
    """A signature with one keyword for each parameter, with its type and default."""
    return inspect.Signature(
        [
            inspect.Parameter(
                parameter.name, inspect.Parameter.KEYWORD_ONLY, default=parameter.default, annotation=type_of(parameter)
            )
            for parameter in parameters
        ]
    )


def type_of(parameter: Parameter) -> Any:
    """The type of the values of a parameter, such as ``int | None`` or ``Literal["fast", "best"]``."""
    own = _own_type(parameter)
    if parameter.automatic is None:
        return own
    value = parameter.automatic.value
    return Union[own, None if value is None else Literal[value]]  # noqa: UP007  # Literal is no operand of "|".


def _own_type(parameter: Parameter) -> Any:
    """The type of a value that is not left to the program."""
    match parameter:
        case Choice():
            return Literal[parameter.choices]
        case Flag():
            return bool
        case IntParameter():
            return int
        case FloatParameter():
            return float
        case NoiseParameter():
            return float | tuple[float, float, float]
        case PointSpread():
            return float | tuple[float, float, float] | str
        case Numbers():
            return GenericAlias(tuple, (int if parameter.whole else float,) * len(parameter.parts))
        case Size():
            return int | str
    return str
