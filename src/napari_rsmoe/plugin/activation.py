"""What happens when napari first uses this plugin in a session: its keys are bound.

napari reads the `keybindings` of a manifest and ignores them. Its action manager, which its own keys use, also shows
the keys of plugins in **Preferences > Shortcuts**, where the user can change them.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from .commands import denoise_selected, fit_selected, upscale_selected
from .names import PLUGIN

KEYS: dict[str, tuple[str, str, Callable[[Any], Any]]] = {
    "denoise": ("Ctrl+Alt+D", "Denoise the selected images (R-SMoE)", denoise_selected),
    "fit": ("Ctrl+Alt+F", "Fit kernels to the selected images (R-SMoE)", fit_selected),
    "upscale": ("Ctrl+Alt+U", "Upscale the selected images (R-SMoE)", upscale_selected),
}
"""By the name of the action: its key, its description, and what it does."""


def activate(_context: Any = None) -> None:
    """Bind the keys, if napari has a window; called by npe2 when the first command of the plugin is used."""
    if "napari.viewer" in sys.modules:
        bind_keys()


def bind_keys() -> None:
    """Bind the keys of `KEYS`, except those that the user has changed."""
    import napari  # here: commands need no window
    from napari.settings import get_settings

    try:
        from napari.utils.action_manager import action_manager  # here: it may be missing
    except ImportError:
        for key, _, command in KEYS.values():
            napari.Viewer.bind_key(key.replace("+", "-").replace("Ctrl", "Control"), command, overwrite=True)
        return
    chosen = get_settings().shortcuts.shortcuts
    for name, (key, description, command) in KEYS.items():
        action = f"{PLUGIN}:{name}"
        with suppress(KeyError):
            action_manager.unbind_shortcut(action)
        action_manager.register_action(action, _described(command, description), description, napari.Viewer)
        for each in chosen.get(action, [key]):
            action_manager.bind_shortcut(action, each)


def _described(command: Callable[[Any], Any], description: str) -> Callable[[Any], None]:
    def act(viewer: Any) -> None:
        command(viewer)

    act.__doc__ = description
    return act
