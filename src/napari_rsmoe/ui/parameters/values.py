"""Values of several parameters together: defaults, checks, and what differs from the defaults."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ...renamed import current_keywords
from ..kinds.parameter import Parameter


def values(parameters: Sequence[Parameter], given: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """All values, checked one by one and together: the given ones, and the defaults of the others.

    Raises
    ------
    ValueError
        For a name that is not among the parameters, a value that is not accepted, or values that exclude each other.
    """
    given = current_keywords(given or {})
    unknown = sorted(set(given) - {parameter.name for parameter in parameters})
    if unknown:
        raise ValueError(f"Unknown parameters: {', '.join(unknown)}.")
    checked = {p.name: p.check(given.get(p.name, p.default)) for p in parameters}
    check_together(parameters, checked, lambda parameter: parameter.label)
    return checked


def check_together(
    parameters: Sequence[Parameter], given: Mapping[str, Any], spell: Callable[[Parameter], str]
) -> None:
    """Refuse values that cannot be given together.

    Parameters
    ----------
    parameters : sequence of Parameter
        The table that the values belong to.
    given : mapping
        All values, as `check` returned them.
    spell : callable
        What the user calls a parameter.

    Raises
    ------
    ValueError
        If two of the values exclude each other, or one of them needs another that is not there.
    """
    by_name = {parameter.name: parameter for parameter in parameters}
    taken = [p for p in parameters if p.automatic is not None and not p.is_automatic(given[p.name])]
    for parameter in taken:
        for other in taken:
            if other.name in parameter.excludes:
                raise ValueError(f"{spell(parameter)} and {spell(other)} exclude each other: leave out one of them.")
        if parameter.only_with is not None and parameter.only_with[0] in by_name:
            needed, wanted = by_name[parameter.only_with[0]], parameter.only_with[1]
            found = resolved(needed, given)
            if found != wanted:
                raise ValueError(f"{spell(parameter)} is for {spell(needed)} {wanted}, not {found}.")


def resolved(parameter: Parameter, given: Mapping[str, Any]) -> Any:
    """The value of a parameter that the program will take, as far as it is known before the work."""
    value, automatic = given[parameter.name], parameter.automatic
    left_open = automatic is not None and parameter.is_automatic(value)
    return automatic.resolve(given) if automatic is not None and left_open and automatic.resolve is not None else value


def changed(parameters: Sequence[Parameter], given: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the values that differ from the defaults or have none, in the order of the parameters."""
    return {p.name: given[p.name] for p in parameters if p.name in given and (p.required or given[p.name] != p.default)}


def without(parameters: Sequence[Parameter], *names: str) -> tuple[Parameter, ...]:
    """The parameters but for some."""
    return tuple(parameter for parameter in parameters if parameter.name not in names)
