"""A form for settings, with the advanced ones folded away."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from magicgui.types import FileDialogMode
from magicgui.widgets import (
    CheckBox,
    ComboBox,
    Container,
    FileEdit,
    FloatSpinBox,
    Label,
    LineEdit,
    PushButton,
    SpinBox,
)
from qtpy.QtWidgets import QSizePolicy

from ...renamed import current_keywords
from ...ui.kinds.choices import Choice, Flag
from ...ui.kinds.numbers import FloatParameter, IntParameter
from ...ui.kinds.parameter import Automatic, Parameter
from ...ui.kinds.texts import Folder
from ...ui.parameters.values import values

SHOW, HIDE = "▸ More settings", "▾ More settings"
"""Text of the button that unfolds the rarely needed settings, and folds them away. `superqt.QCollapsible` does the same
for plain Qt widgets; the fields here are magicgui's, which align their labels only within magicgui's containers."""


class OptionalField(Container):
    """A value that may be left to the program: a tick box, and the field for when it is not ticked."""

    def __init__(self, parameter: Parameter, automatic: Automatic) -> None:
        self._parameter, self._automatic = parameter, automatic
        self.automatic = CheckBox(value=True, text=automatic.label, tooltip=parameter.help)
        self.own = _plain_field(parameter)
        super().__init__(
            widgets=[self.automatic, self.own], layout="horizontal", labels=False, name=parameter.name,
            label=parameter.caption, tooltip=parameter.help,
        )  # fmt: skip
        self.margins = (0, 0, 0, 0)
        self.automatic.changed.connect(self._show_state)
        self.set(parameter.default)

    def get(self) -> Any:
        """The value, in the terms of the parameter. Raises ValueError if a text is not accepted."""
        return self._automatic.value if self.automatic.value else _read(self._parameter, self.own)

    def set(self, value: Any) -> None:
        """Show a value."""
        self.automatic.value = self._parameter.is_automatic(value)
        if not self.automatic.value:
            _show(self._parameter, self.own, value)
        self._show_state()

    def _show_state(self) -> None:
        self.own.enabled = not self.automatic.value


class Form(Container):
    """Fields for parameters.

    Parameters
    ----------
    parameters : sequence of Parameter
        Parameters to show, in this order.
    before, after : sequence of magicgui widgets
        Further fields around the basic ones.
    folded : sequence of magicgui widgets
        Further fields, folded away with the advanced ones.
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
        self.defaults = PushButton(text="Defaults", tooltip="Set all settings back to their defaults.")
        self.differing = Label(value="")
        self.advanced = column_of(*advanced, *folded)
        rows = [self.basic, row_of(self.toggle, self.defaults), row_of(self.differing), self.advanced]
        super().__init__(widgets=rows, labels=False)
        self.margins = (0, 0, 0, 0)
        self.differing.native.setWordWrap(True)
        self.differing.native.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self._not_offered: set[str] = set()
        self.toggle.changed.connect(lambda: self.unfold(self.toggle.text == SHOW))
        self.defaults.changed.connect(self.reset)
        self.advanced.changed.connect(self._show_differing)
        self.unfold(False)
        for parameter in parameters:
            if parameter.excludes:
                self._fields[parameter.name].automatic.changed.connect(partial(self._exclude, parameter))

    def _exclude(self, parameter: Parameter, automatic: bool) -> None:
        """Reset the parameters that cannot be given together with this one."""
        for name in parameter.excludes if not automatic else ():
            if name in self._fields:
                self._fields[name].automatic.value = True

    def unfold(self, open_: bool) -> None:
        """Show the advanced fields, or fold them away."""
        self.advanced.visible = open_
        self.toggle.text = HIDE if open_ else SHOW
        self._show_differing()

    def offer(self, names: Sequence[str], offered: bool) -> None:
        """Offer these parameters, or leave them out: then they have no visible field, and their defaults as values."""
        known = set(names) & set(self._fields)
        self._not_offered = self._not_offered - known if offered else self._not_offered | known
        for name in known:
            self._fields[name].visible = offered
        self._show_differing()

    def _show_differing(self, *_: Any) -> None:
        """While settings are folded away, say which of them are not at their defaults."""
        folded = self.toggle.text == SHOW
        found = [
            f"{parameter.label} {_spelled(parameter, value)}"
            for name, parameter in self._parameters.items()
            if parameter.advanced and (value := self._value_or_none(name)) != parameter.default
        ]
        self.differing.value = f"Changed: {', '.join(found)}" if found else ""
        self.differing.visible = folded and bool(found)

    def _value_or_none(self, name: str) -> Any:
        """The value in a field; a text that is not accepted as it is."""
        parameter, field = self._parameters[name], self._fields[name]
        if name in self._not_offered:
            return parameter.default
        try:
            return field.get() if isinstance(field, OptionalField) else _read(parameter, field)
        except ValueError:
            return str(_line_of(field.own if isinstance(field, OptionalField) else field).value)

    def field(self, name: str) -> Any:
        """The field of a parameter."""
        return self._fields[name]

    def get(self) -> dict[str, Any]:
        """All values, by parameter name. Raises ValueError if they are not accepted."""
        fields = self._fields
        given = {
            name: fields[name].get() if isinstance(fields[name], OptionalField) else _read(parameter, fields[name])
            for name, parameter in self._parameters.items()
            if name not in self._not_offered
        }
        return values(tuple(self._parameters.values()), given)

    def set(self, given: Mapping[str, Any]) -> None:
        """Show these values, except those that no field accepts, for example from an older version."""
        for name, value in current_keywords(given).items():
            if name not in self._fields:
                continue
            parameter, field = self._parameters[name], self._fields[name]
            try:
                accepted = parameter.check(value)
            except ValueError:
                continue
            if isinstance(field, OptionalField):
                field.set(accepted)
            else:
                _show(parameter, field, accepted)

    def reset(self) -> None:
        """Show the defaults."""
        self.set({name: parameter.default for name, parameter in self._parameters.items()})


def column_of(*widgets: Any) -> Container:
    """Widgets in a column, with labels of equal width."""
    column = Container(labels=True)
    column.margins = (0, 0, 0, 0)
    for widget in widgets:
        column.append(widget)  # Appended one by one, because magicgui aligns the labels only then.
    return column


def row_of(*widgets: Any) -> Container:
    """Widgets in a row."""
    row = Container(widgets=list(widgets), layout="horizontal", labels=False)
    row.margins = (0, 0, 0, 0)
    return row


def _field(parameter: Parameter) -> Any:
    return _plain_field(parameter) if parameter.automatic is None else OptionalField(parameter, parameter.automatic)


def _plain_field(parameter: Parameter) -> Any:
    """The field of a parameter that is not left to the program."""
    common = {"name": parameter.name, "label": parameter.caption, "tooltip": parameter.help}
    match parameter:
        case Choice():
            return ComboBox(choices=list(parameter.choices), value=parameter.initial, **common)
        case Flag():
            return CheckBox(value=parameter.initial, **common)
        case IntParameter() | FloatParameter():
            low, high = parameter.bounds
            kind = SpinBox if isinstance(parameter, IntParameter) else FloatSpinBox
            step = type(parameter.initial)(parameter.step)
            return kind(value=parameter.initial, min=low, max=high, step=step, **common)
        case Folder():
            return FileEdit(mode=FileDialogMode.EXISTING_DIRECTORY, **common)
    return LineEdit(value=_text(parameter, parameter.initial), **common)


def _spelled(parameter: Parameter, value: Any) -> str:
    """A value as a user reads it."""
    return ("on" if value else "off") if isinstance(parameter, Flag) else str(parameter.write(value))


def _read(parameter: Parameter, field: Any) -> Any:
    """The value in a field of `_plain_field`. Raises ValueError if it is not accepted."""
    line = _line_of(field)
    if line is None:
        return parameter.check(field.value)
    try:
        return parameter.parse(line.value)
    except ValueError as error:
        raise ValueError(f"{parameter.label}: {error}") from None


def _show(parameter: Parameter, field: Any, value: Any) -> None:
    """Show a value in a field of `_plain_field`."""
    line = _line_of(field)
    if line is None:
        field.value = value
    else:
        line.value = _text(parameter, value)


def _line_of(field: Any) -> Any:
    """The line of text in a field; None if it holds no text. A file field would turn an empty text into a folder."""
    return field.line_edit if isinstance(field, FileEdit) else field if isinstance(field, LineEdit) else None


def _text(parameter: Parameter, value: Any) -> str:
    return "" if value == "" else parameter.write(value)
