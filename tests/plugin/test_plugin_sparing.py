"""Layers that come and go beside what the user works on, and what the collector of garbage has to look at."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image

from napari_rsmoe.plugin.layers.sparing import Spared, insert_aside


@pytest.fixture
def model() -> Iterator[Any]:
    """A viewer without a window, in a process in which nothing is exempt from the collector."""
    gc.unfreeze()
    viewer = ViewerModel()
    for name in ("one", "two", "three"):
        viewer.add_image(np.zeros((4, 4)), name=name)
    yield viewer
    gc.freeze()


def image() -> Image:
    return Image(np.zeros((4, 4)), name="ours")


@pytest.mark.parametrize("chosen", [("one",), ("one", "two"), ()])
def test_a_layer_is_inserted_beside_the_selection(model: Any, chosen: tuple[str, ...]) -> None:
    model.layers.selection = {model.layers[name] for name in chosen}
    active, heard = model.layers.selection.active, []
    model.layers.selection.events.connect(heard.append)
    assert insert_aside(model, 1, image()) is model.layers[1]
    assert {layer.name for layer in model.layers.selection} == set(chosen)
    assert model.layers.selection.active is active
    assert not heard  # The window does not change its controls twice.


def test_what_was_there_is_spared_and_our_layer_is_freed(model: Any) -> None:
    spared, other = Spared(model), Spared(model)
    spared.begin()
    old = gc.get_freeze_count()
    assert old > 100_000
    layer = insert_aside(model, 1, image())
    other.begin()  # Must not exempt our layer, which is newer.
    gone = weakref.ref(layer)
    del layer
    model.layers.remove("ours")
    assert gc.get_freeze_count() > 0.9 * old
    gc.collect()  # As napari does in a window.
    assert gone() is None
    spared.end()
    assert gc.get_freeze_count()
    other.end()
    assert gc.get_freeze_count() == 0


def test_removing_an_older_layer_frees_it_too(model: Any) -> None:
    spared = Spared(model)
    spared.begin()
    model.layers.remove("two")
    assert gc.get_freeze_count() == 0
    spared.end()


def test_objects_that_others_exempt_stay_exempt(model: Any) -> None:
    gc.freeze()
    spared = Spared(model)
    spared.begin()
    spared.end()
    assert gc.get_freeze_count()
