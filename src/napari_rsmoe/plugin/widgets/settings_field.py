"""The fields that magicgui makes for `service.Settings`: this plugin's forms, in the widgets of others."""

from __future__ import annotations

from typing import Any, ClassVar

from magicgui.types import Undefined
from magicgui.widgets import Container

from ..service import DeblurSettings, DenoiseSettings, FitSettings, Settings, UpscaleSettings
from .form import Form


class SettingsField(Container):
    """A form whose value are the settings of a job.

    Parameters
    ----------
    value : Settings or mapping, optional
        What to show first; by default the defaults.
    **options
        Of any container of magicgui.
    """

    kind: ClassVar[type[Settings]] = Settings

    def __init__(self, value: Any = Undefined, nullable: bool = False, **options: Any) -> None:
        self.form = Form([p for p in self.kind.parameters if p.name != "device"])
        options = {name: each for name, each in options.items() if name != "bind"}
        super().__init__(widgets=[self.form], labels=False, **options)
        self.margins = (0, 0, 0, 0)
        if value is not Undefined and value is not None:
            self.value = value

    @property
    def value(self) -> Settings:
        """The settings that the form shows. Raises ValueError if one is not accepted."""
        return self.kind(**self.form.get())

    @value.setter
    def value(self, settings: Any) -> None:
        self.form.set({name: each for name, each in dict(settings).items() if name != "device"})


class DenoiseSettingsField(SettingsField):
    """The form of `DenoiseSettings`."""

    kind = DenoiseSettings


class FitSettingsField(SettingsField):
    """The form of `FitSettings`."""

    kind = FitSettings


class UpscaleSettingsField(SettingsField):
    """The form of `UpscaleSettings`."""

    kind = UpscaleSettings


class DeblurSettingsField(SettingsField):
    """The form of `DeblurSettings`."""

    kind = DeblurSettings
