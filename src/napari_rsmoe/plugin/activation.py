"""What happens when napari first uses this plugin in a session: keys are bound, and layers get a menu.

napari reads the `keybindings` of a manifest and ignores them. Its action manager, which its own keys use, also shows
the keys of plugins in **Preferences > Shortcuts**, where the user can change them.
"""

from __future__ import annotations

import sys
import warnings
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

SUBMENU = "napari-rsmoe.submenu"
"""The menu of this plugin, as the manifest names it."""


def activate(_context: Any = None) -> None:
    """Bind the keys, if napari has a window; called by npe2 when the first command of the plugin is used."""
    if "napari.viewer" in sys.modules:
        bind_keys()
        offer_in_context_menu()


def offer_in_context_menu() -> None:
    """Show the menu of this plugin in the context menu of layers, to which manifests of plugins cannot contribute."""
    with suppress(ImportError, AttributeError):  # It is no public part of napari, and may move.
        from app_model.types import SubmenuItem  # here: commands need no window, as the next ones
        from napari._app_model import get_app_model
        from napari._app_model.constants import MenuId

        menus = get_app_model().menus
        known = menus.get_menu(MenuId.LAYERLIST_CONTEXT) if MenuId.LAYERLIST_CONTEXT in menus else []
        if not any(getattr(item, "submenu", None) == SUBMENU for item in known):
            item = SubmenuItem(submenu=SUBMENU, title="R-SMoE", group="9_plugins")
            menus.append_menu_items([(MenuId.LAYERLIST_CONTEXT, item)])


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
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # At the first time there is nothing to unbind.
            action_manager.unbind_shortcut(action)
        action_manager.register_action(action, _described(command, description), description, napari.Viewer)
        for each in chosen.get(action, [key]):
            action_manager.bind_shortcut(action, each)


def _described(command: Callable[[Any], Any], description: str) -> Callable[[Any], None]:
    def act(viewer: Any) -> None:
        command(viewer)

    act.__doc__ = description
    return act
