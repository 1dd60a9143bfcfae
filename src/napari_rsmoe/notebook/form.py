"""Settings as a form: the basic ones in view, the others folded away."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import ipywidgets

from ..renamed import current_keywords
from ..ui.kinds.choices import Choice, Flag
from ..ui.kinds.numbers import FloatParameter, IntParameter
from ..ui.kinds.parameter import Parameter
from ..ui.parameters.values import values

SHOW, HIDE = "▸ More settings", "▾ More settings"
VALUE = "value"
AUTOMATIC = ""
"""Key of the choice among names that leaves a parameter to the program; no name is empty."""
LABEL_STYLE = {"description_width": "128px"}


class Field(ipywidgets.HBox):
    """The control of a parameter; if it may be left to the program, that is a choice beside "value".

    Parameters
    ----------
    parameter : Parameter
        What it is.

    Attributes
    ----------
    control : ipywidgets.Widget
        Holds the value. Its description is the label, so that screen readers name it.
    automatic : ipywidgets.Dropdown or None
        Whether the value is left to the program; None if it cannot be, or if `control` offers that itself.
    """

    def __init__(self, parameter: Parameter) -> None:
        self._parameter = parameter
        self.control = _control(parameter)
        self.automatic: Any = None
        if parameter.automatic is None or isinstance(parameter, Choice):
            super().__init__([self.control])
        else:
            self.automatic = ipywidgets.Dropdown(
                options=[(_automatic_text(parameter), True), (VALUE, False)],
                description=parameter.caption, tooltip=parameter.help, style=LABEL_STYLE,
            )  # fmt: skip
            self.control.add_class("rsmoe-unlabelled")
            self.automatic.observe(lambda _: self._show_state(), "value")
            super().__init__([self.automatic, self.control])
            self._show_state()
        self.add_class("rsmoe-field")
        self.value = parameter.default

    @property
    def value(self) -> Any:
        """The value, in the terms of the parameter. Raises ValueError if it is not accepted."""
        parameter = self._parameter
        if self.automatic is not None and self.automatic.value:
            return parameter.automatic.value if parameter.automatic is not None else None
        shown = self.control.value
        if isinstance(parameter, Choice):
            return parameter.automatic.value if parameter.automatic is not None and shown == AUTOMATIC else shown
        try:
            return parameter.parse(shown) if isinstance(shown, str) else parameter.accept(shown)
        except ValueError as error:
            raise ValueError(f"{parameter.label}: {error}") from None

    @value.setter
    def value(self, value: Any) -> None:
        value = self._parameter.check(value)
        automatic = self._parameter.is_automatic(value)
        if self.automatic is not None:
            self.automatic.value = automatic
        elif automatic:
            self.control.value = AUTOMATIC
        if not automatic:
            self.control.value = self._parameter.write(value) if isinstance(self.control, ipywidgets.Text) else value

    def leave(self) -> None:
        """Leave the value to the program."""
        known = self._parameter.automatic
        if known is not None:
            self.value = known.value

    def on_change(self, react: Callable[[bool], None]) -> None:
        """Call `react` with whether the value is left to the program, whenever the user changes that."""
        chosen = self.control if self.automatic is None else self.automatic
        chosen.observe(lambda change: react(change["new"] is True or change["new"] == AUTOMATIC), "value")

    def _show_state(self) -> None:
        self.control.layout.display = "none" if self.automatic.value else ""


class Form(ipywidgets.VBox):
    """Fields for parameters, in their order.

    Parameters
    ----------
    parameters : sequence of Parameter
        What to show.
    given : mapping
        Values that differ from the defaults. Raises ValueError for an unknown name or a value that is not accepted.
    """

    def __init__(self, parameters: Sequence[Parameter], given: Mapping[str, Any]) -> None:
        given = current_keywords(given)
        self._parameters = {parameter.name: parameter for parameter in parameters}
        self.fields = {parameter.name: Field(parameter) for parameter in parameters}
        self.toggle = ipywidgets.Button(description=SHOW, tooltip="Settings that are rarely needed")
        self.toggle.add_class("rsmoe-more")
        self.toggle.on_click(lambda _: self.unfold(self.toggle.description == SHOW))
        self._advanced = ipywidgets.VBox([self.fields[p.name] for p in parameters if p.advanced])
        super().__init__([*(self.fields[p.name] for p in parameters if not p.advanced), self.toggle, self._advanced])
        self.unfold(False)
        for parameter in parameters:
            if parameter.excludes:
                self.fields[parameter.name].on_change(partial(self._exclude, parameter))
        self.values = given
        for name, value in given.items():
            if self.fields[name].value != self._parameters[name].check(value):
                raise ValueError(f"{name}={value!r} cannot be given together with the others.")

    @property
    def values(self) -> dict[str, Any]:
        """All values, by parameter name. Raises ValueError if they are not accepted."""
        given = {name: field.value for name, field in self.fields.items()}
        return values(tuple(self._parameters.values()), given)

    @values.setter
    def values(self, given: Mapping[str, Any]) -> None:
        unknown = sorted(set(given) - set(self.fields))
        if unknown:
            raise TypeError(f"Unknown parameters: {', '.join(unknown)}; there are {', '.join(self.fields)}.")
        for name, value in given.items():
            self.fields[name].value = value

    def unfold(self, open_: bool) -> None:
        """Show the advanced fields, or fold them away."""
        self._advanced.layout.display = "" if open_ else "none"
        self.toggle.description = HIDE if open_ else SHOW

    def _exclude(self, parameter: Parameter, automatic: bool) -> None:
        """Leave to the program what cannot be given together with this."""
        for name in parameter.excludes if not automatic else ():
            if name in self.fields:
                self.fields[name].leave()


def _automatic_text(parameter: Parameter) -> str:
    """The choice that leaves a parameter to the program, in words."""
    known = parameter.automatic
    assert known is not None
    return known.label if known.value is None else f"{known.value}: {known.label}"


def _control(parameter: Parameter) -> Any:
    common = {"description": parameter.caption, "tooltip": parameter.help}
    styled = common | {"style": LABEL_STYLE}
    match parameter:
        case Choice():
            names = [(name, name) for name in parameter.choices]
            if parameter.automatic is not None:
                names.insert(0, (_automatic_text(parameter), AUTOMATIC))
            return ipywidgets.Dropdown(options=names, **styled)
        case Flag():
            return ipywidgets.Checkbox(indent=False, value=parameter.initial, **common)
        case IntParameter() | FloatParameter():
            low, high = parameter.bounds
            kind = ipywidgets.BoundedIntText if isinstance(parameter, IntParameter) else ipywidgets.BoundedFloatText
            step = type(parameter.initial)(parameter.step)
            return kind(value=parameter.initial, min=low, max=high, step=step, **styled)
    text = "" if parameter.initial == "" else parameter.write(parameter.initial)
    return ipywidgets.Text(value=text, continuous_update=False, **styled)
