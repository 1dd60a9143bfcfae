"""Settings as a form: the basic ones in view, the others folded away."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import ipywidgets

from ..renamed import current_keywords
from ..ui.kinds import Choice, Flag, FloatParameter, IntParameter, Parameter
from ..ui.parameters import values

SHOW, HIDE = "▸ More settings", "▾ More settings"


class Field(ipywidgets.HBox):
    """The label and the control of a parameter, with a tick box if it may be left to the program.

    Parameters
    ----------
    parameter : Parameter
        What it is.
    """

    def __init__(self, parameter: Parameter) -> None:
        self._parameter = parameter
        label = ipywidgets.Label(parameter.caption, tooltip=parameter.help)
        self.control = _control(parameter)
        self.automatic: Any = None
        children = [label, self.control]
        if parameter.automatic is not None:
            self.automatic = ipywidgets.Checkbox(
                description=parameter.automatic.label, indent=False, tooltip=parameter.help
            )
            self.automatic.observe(lambda _: self._show_state(), "value")
            children.insert(1, self.automatic)
        super().__init__(children)
        self.add_class("rsmoe-field")
        self.value = parameter.default

    @property
    def value(self) -> Any:
        """The value, in the terms of the parameter. Raises ValueError if it is not accepted."""
        parameter = self._parameter
        if parameter.automatic is not None and self.automatic.value:
            return parameter.automatic.value
        shown = self.control.value
        try:
            return parameter.parse(shown) if isinstance(shown, str) else parameter.accept(shown)
        except ValueError as error:
            raise ValueError(f"{parameter.label}: {error}") from None

    @value.setter
    def value(self, value: Any) -> None:
        value = self._parameter.check(value)
        if self.automatic is not None:
            self.automatic.value = self._parameter.is_automatic(value)
            self._show_state()
            if self.automatic.value:
                return
        self.control.value = self._parameter.write(value) if isinstance(self.control, ipywidgets.Text) else value

    def _show_state(self) -> None:
        self.control.layout.visibility = "hidden" if self.automatic.value else "visible"


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
                self.fields[parameter.name].automatic.observe(partial(self._exclude, parameter), "value")
        self.values = given
        for name, value in given.items():
            if self.fields[name].value != value:
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

    def _exclude(self, parameter: Parameter, change: Any) -> None:
        """Leave to the program what cannot be given together with this."""
        for name in parameter.excludes if not change["new"] else ():
            if name in self.fields:
                self.fields[name].automatic.value = True


def _control(parameter: Parameter) -> Any:
    common = {"tooltip": parameter.help}
    match parameter:
        case Choice():
            return ipywidgets.Dropdown(options=parameter.choices, value=parameter.initial, **common)
        case Flag():
            return ipywidgets.Checkbox(indent=False, value=parameter.initial, **common)
        case IntParameter() | FloatParameter():
            low, high = parameter.bounds
            kind = ipywidgets.BoundedIntText if isinstance(parameter, IntParameter) else ipywidgets.BoundedFloatText
            step = type(parameter.initial)(parameter.step)
            return kind(value=parameter.initial, min=low, max=high, step=step, **common)
    text = "" if parameter.initial == "" else parameter.write(parameter.initial)
    return ipywidgets.Text(value=text, continuous_update=False, **common)
