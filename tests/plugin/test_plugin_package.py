"""Manifest, imports, preferences, sample data."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from typing import Any

import numpy as np
import pytest
from npe2 import PluginManager, PluginManifest

from napari_rsmoe.plugin.actions import ACTIONS
from napari_rsmoe.plugin.preferences import Preferences, preferences


@pytest.fixture(scope="module")
def manifest() -> PluginManifest:
    return PluginManifest.from_distribution("napari-rsmoe")


def test_manifest_is_valid() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "npe2", "validate", "napari-rsmoe"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_command_can_be_imported(manifest: PluginManifest) -> None:
    for command in manifest.contributions.commands or ():
        module, name = command.python_name.split(":")
        assert callable(getattr(import_module(module), name))


def test_every_job_is_a_widget_a_command_and_a_service(manifest: PluginManifest) -> None:
    commands = {command.id for command in manifest.contributions.commands}
    assert {f"napari-rsmoe.{action}{ending}" for action in ACTIONS for ending in ("", "_widget", "_layer")} <= commands


def test_menu_shows_widgets_and_commands(manifest: PluginManifest) -> None:
    (submenu,) = manifest.contributions.menus["napari/layers/filter"]
    shown = {item.command for item in manifest.contributions.menus[submenu.submenu]}
    assert {widget.command for widget in manifest.contributions.widgets} < shown
    assert shown <= {command.id for command in manifest.contributions.commands}


def test_preferences_have_the_defaults_of_the_manifest(manifest: PluginManifest) -> None:
    found: dict[str, Any] = {}
    for group in manifest.contributions.configurations.values():
        found |= {name: entry.default for name, entry in group.properties.items()}
    assert found == vars(Preferences())


def test_preferences_follow_the_settings_of_napari() -> None:
    from napari.settings import get_plugin_settings

    settings = get_plugin_settings("napari-rsmoe")
    settings.display.drawn_kernels = 123
    try:
        assert preferences().drawn_kernels == 123
    finally:
        settings.display.drawn_kernels = Preferences().drawn_kernels


def test_nothing_loads_torch_before_it_is_used() -> None:
    code = (
        "import sys\n"
        "from napari_rsmoe.plugin import commands, files, samples\n"
        "assert files.get_reader('a.rsmoe') and not files.get_reader('a.tif')\n"
        "samples.micrograph()\n"
        "assert 'qtpy' not in sys.modules and 'magicgui' not in sys.modules\n"
        "from napari_rsmoe.plugin.widgets import denoise, files, fit, kernels, upscale\n"
        "assert 'torch' not in sys.modules, 'torch'\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_engine_and_command_line_load_no_window() -> None:
    code = (
        "import sys, napari_rsmoe\n"
        "from napari_rsmoe import fit, upscale, Model\n"
        "import napari_rsmoe.cli.program, napari_rsmoe.ui.parameters\n"
        "found = {'qtpy', 'napari', 'magicgui', 'PyQt6'} & set(sys.modules)\n"
        "assert not found, found\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_samples_need_no_network_and_repeat(manifest: PluginManifest, monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    def refuse(*args: Any, **kwargs: Any) -> None:
        raise AssertionError("a sample asked for the network")

    monkeypatch.setattr(socket, "create_connection", refuse)
    from napari.layers import Layer

    for sample in manifest.contributions.sample_data:
        command = next(c for c in manifest.contributions.commands if c.id == sample.command)
        module, name = command.python_name.split(":")
        make = getattr(import_module(module), name)
        first, second = make(), make()
        for (data, options, kind), (again, _, _) in zip(first, second, strict=True):
            np.testing.assert_array_equal(data, again)
            assert Layer.create(data, options, kind).name == options["name"]


def test_micrograph_is_noisy() -> None:
    from napari_rsmoe.plugin.samples import micrograph

    (clean, _, _), (noisy, options, _) = micrograph()
    assert noisy.dtype == np.uint16
    assert options["units"] == ("um", "um")
    spread = noisy.astype(float) - clean
    assert spread.std() > 20
    bright = clean > np.percentile(clean, 95)
    assert spread[bright].std() > 1.5 * spread[~bright].std()  # photons: more noise where there is more light


def test_keys_are_bound_when_the_plugin_is_first_used(
    viewer: Any, noisy: np.ndarray, monkeypatch: pytest.MonkeyPatch, qtbot: Any
) -> None:
    from napari._qt.widgets.qt_keyboard_settings import ShortcutEditor
    from napari.settings import get_settings
    from qtpy.QtCore import Qt

    from napari_rsmoe.plugin import activation

    used: list[str] = []
    for name, (key, words, _) in activation.KEYS.items():
        monkeypatch.setitem(activation.KEYS, name, (key, words, lambda viewer, name=name: used.append(name)))
    shortcuts = get_settings().shortcuts
    monkeypatch.setattr(shortcuts, "shortcuts", {**shortcuts.shortcuts, "napari-rsmoe:fit": ["Ctrl+Alt+G"]})
    for _ in range(2):  # To activate it again changes nothing.
        PluginManager.instance().deactivate("napari-rsmoe")
        PluginManager.instance().activate("napari-rsmoe")
    window = viewer.__wrapped__.window._qt_viewer
    pressed = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.AltModifier
    for key in (Qt.Key.Key_D, Qt.Key.Key_F, Qt.Key.Key_G, Qt.Key.Key_U):
        qtbot.keyClick(window, key, pressed)
    assert used == ["denoise", "fit", "upscale"]
    editor = ShortcutEditor()
    qtbot.addWidget(editor)
    offered = editor.key_bindings_strs["Viewer key bindings"]
    assert {f"napari-rsmoe:{name}" for name in activation.KEYS} <= set(offered)
