"""Settings as a form: the basic ones in view, the others folded away."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from magicgui.widgets import CheckBox, ComboBox, Container, FloatSpinBox, PushButton, SpinBox

from ...ui.parameters import Parameter

SHOW, HIDE = "▸ More settings", "▾ More settings"


class OptionalField(Container):
    """A number or a choice that may be left to the program: a tick box, and the field for when it is not ticked."""

    def __init__(self, parameter: Parameter) -> None:
        self._parameter = parameter
        self.automatic = CheckBox(value=True, text=parameter.automatic_label, tooltip=parameter.help)
        self.own = _plain_field(parameter, parameter.choices[0] if parameter.choices else parameter.number)
        super().__init__(
            widgets=[self.automatic, self.own], layout="horizontal", labels=False, name=parameter.name,
            label=parameter.label + (f" ({parameter.unit})" if parameter.unit else ""), tooltip=parameter.help,
        )  # fmt: skip
        self.margins = (0, 0, 0, 0)
        self.automatic.changed.connect(self._show_state)
        self.set(parameter.default)

    def get(self) -> Any:
        """The value, in the terms of the parameter."""
        return self._parameter.automatic if self.automatic.value else self.own.value

    def set(self, value: Any) -> None:
        """Show a value."""
        self.automatic.value = value == self._parameter.automatic
        if not self.automatic.value:
            self.own.value = value
        self._show_state()

    def _show_state(self) -> None:
        self.own.enabled = not self.automatic.value


class Form(Container):
    """Fields for parameters.

    Parameters
    ----------
    parameters : sequence of Parameter
        What to show, in this order.
    before, after : sequence of magicgui widgets
        Further fields around the basic ones.
    folded : sequence of magicgui widgets
        Further fields that are folded away with the advanced ones.
    """

    def __init__(
        self,
        parameters: Sequence[Parameter],
        before: Sequence[Any] = (),
        after: Sequence[Any] = (),
        folded: Sequence[Any] = (),
    ) -> None:
        self._parameters = {parameter.name: parameter for parameter in parameters}
        self._fields = {parameter.name: _field(parameter) for parameter in parameters}
        basic = [self._fields[p.name] for p in parameters if not p.advanced]
        advanced = [self._fields[p.name] for p in parameters if p.advanced]
        self.basic = column_of(*before, *basic, *after)
        self.toggle = PushButton(text=SHOW, tooltip="Settings that are rarely needed.")
        self.advanced = column_of(*advanced, *folded)
        super().__init__(widgets=[self.basic, self.toggle, self.advanced], labels=False)
        self.margins = (0, 0, 0, 0)
        self.toggle.changed.connect(lambda: self.unfold(self.toggle.text == SHOW))
        self.unfold(False)
        for parameter in parameters:
            if parameter.excludes:
                self._fields[parameter.name].automatic.changed.connect(partial(self._exclude, parameter))

    def _exclude(self, parameter: Parameter, automatic: bool) -> None:
        """Leave to the program what cannot be given together with this."""
        for name in parameter.excludes if not automatic else ():
            if name in self._fields:
                self._fields[name].set(self._parameters[name].automatic)

    def unfold(self, open_: bool) -> None:
        """Show the advanced fields, or fold them away."""
        self.advanced.visible = open_
        self.toggle.text = HIDE if open_ else SHOW

    def field(self, name: str) -> Any:
        """The field of a parameter."""
        return self._fields[name]

    def get(self) -> dict[str, Any]:
        """All values, by parameter name."""
        return {
            name: self._parameters[name].check(field.get() if isinstance(field, OptionalField) else field.value)
            for name, field in self._fields.items()
        }

    def set(self, given: Mapping[str, Any]) -> None:
        """Show these values; what no field accepts, for example from an older version, is left out."""
        for name, value in given.items():
            if name not in self._fields:
                continue
            try:
                accepted = self._parameters[name].check(value)
            except ValueError:
                continue
            field = self._fields[name]
            if isinstance(field, OptionalField):
                field.set(accepted)
            else:
                field.value = accepted

    def reset(self) -> None:
        """Show the defaults."""
        self.set({name: parameter.default for name, parameter in self._parameters.items()})


def column_of(*widgets: Any) -> Container:
    """Widgets below each other, their labels as wide as the widest."""
    column = Container(labels=True)
    column.margins = (0, 0, 0, 0)
    for widget in widgets:
        column.append(widget)  # one by one: magicgui aligns the labels only then
    return column


def row_of(*widgets: Any) -> Container:
    """Widgets side by side."""
    row = Container(widgets=list(widgets), layout="horizontal", labels=False)
    row.margins = (0, 0, 0, 0)
    return row


def _field(parameter: Parameter) -> Any:
    return OptionalField(parameter) if parameter.automatic_label else _plain_field(parameter, parameter.default)


def _plain_field(parameter: Parameter, value: Any) -> Any:
    common = {"name": parameter.name, "label": parameter.label, "tooltip": parameter.help}
    if parameter.kind == "choice":
        return ComboBox(choices=list(parameter.choices), value=value, **common)
    if parameter.kind == "bool":
        return CheckBox(value=bool(value), **common)
    if parameter.kind == "int":
        return SpinBox(
            value=int(value), min=int(parameter.low), max=int(parameter.high), step=int(parameter.step), **common
        )
    unit = {"label": f"{parameter.label} ({parameter.unit})"} if parameter.unit else {}
    return FloatSpinBox(value=float(value), min=parameter.low, max=parameter.high, step=parameter.step, **common | unit)
