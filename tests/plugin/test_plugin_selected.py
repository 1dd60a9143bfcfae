"""Jobs on all selected layers, one after the other: from the widget, the menu, and the context menu of layers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from driving import LONG, Wait, last_words, names, open_widget, press, quick_fit

from napari_rsmoe.plugin import commands
from napari_rsmoe.plugin.activation import activate
from napari_rsmoe.plugin.widgets.memory import remember


def test_all_selected_layers_one_after_the_other(viewer: Any, run_until: Wait, noisy: np.ndarray) -> None:
    layers = [viewer.add_image(noisy + k, name=name) for k, name in enumerate("abc")]
    widget = open_widget(viewer, "Fit kernels")
    quick_fit(widget)
    widget.outputs["model"].value = False
    viewer.layers.selection.clear()
    press(widget.selected.button)
    assert "Select one or more images" in last_words()
    viewer.layers.selection.update(layers)
    press(widget.selected.button)
    assert widget.busy
    assert not widget.selected.button.enabled
    viewer.layers.remove("b")  # It is left out.
    run_until(lambda: not widget.busy)
    assert names(viewer) == ["a", "a fit 30 kernels", "c", "c fit 30 kernels"]
    viewer.layers.selection.clear()
    viewer.layers.selection.update([layers[0], layers[2]])
    widget.form.set({"iterations": LONG})
    press(widget.selected.button)
    run_until(lambda: widget._run is not None and widget._run.job.progress is not None)
    press(widget.cancel)
    run_until(lambda: not widget.busy)
    assert [name for name in names(viewer) if "stopped" in name] == ["a fit 30 kernels (stopped)"]


@pytest.mark.usefixtures("qapp")
def test_selected_now_runs_one_job_at_a_time(viewer: Any, run_until: Wait, noisy: np.ndarray) -> None:
    layers = [viewer.add_image(noisy, name=name) for name in "abc"]
    viewer.layers.selection.update(layers)
    remember("fit", {"parameters": {"n_kernels": 9, "iterations": 3}})
    jobs = commands.fit_selected(viewer)
    assert len(jobs) == 3
    jobs[1].job.cancel()
    most = 0

    def ended() -> bool:
        nonlocal most
        most = max(most, sum(job.job.progress is not None and not job.done for job in jobs))
        return all(job.done for job in jobs)

    run_until(ended)
    assert most == 1
    assert sum(name.endswith("kernels") and "fit" in name for name in names(viewer)) >= 2
    assert not any(name.startswith("b fit") for name in names(viewer))


def test_the_menu_is_in_the_context_menu_of_layers(viewer: Any) -> None:
    from napari._app_model import get_app_model
    from napari._app_model.constants import MenuId

    activate()
    activate()
    items = get_app_model().menus.get_menu(MenuId.LAYERLIST_CONTEXT)
    assert [item.title for item in items if getattr(item, "submenu", "") == "napari-rsmoe.submenu"] == ["R-SMoE"]
