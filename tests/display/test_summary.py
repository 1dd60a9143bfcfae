"""Results in notebooks without widgets: plain HTML, a picture, and no widget library."""

from __future__ import annotations

import base64
import io
import subprocess
import sys
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest
from PIL import Image

from napari_rsmoe import Denoised, Model, denoise, fit

PLAIN = {
    "table": set(),
    "tr": set(),
    "td": {"valign"},
    "div": {"align"},
    "img": {"src", "alt"},
    "br": set(),
    "b": set(),
}
"""Tags and attributes that viewers of notebooks let through."""


class Reader(HTMLParser):
    """The text and the pictures of HTML that is plain enough."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.text, self.pictures = "", []
        self.feed(source)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        assert {name for name, _ in attributes} <= PLAIN[tag]
        source = dict(attributes).get("src")
        if source:
            kind, content = source.split(",")
            assert kind == "data:image/png;base64"
            self.pictures.append(np.asarray(Image.open(io.BytesIO(base64.b64decode(content)))))

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(scope="module")
def photograph() -> np.ndarray:
    from skimage import data

    return data.chelsea()[40:300, 40:360]


@pytest.fixture(scope="module")
def model(photograph: np.ndarray) -> Model:
    return fit(photograph, 200, iterations=20)


@pytest.fixture(scope="module")
def denoised(photograph: np.ndarray) -> Denoised:
    return denoise(np.moveaxis(photograph[:60, :80], -1, 0), models=2, preset="fast", noise=5, channel_axis=0)


def test_a_model(model: Model) -> None:
    bundle: dict[str, Any] = model._repr_mimebundle_()
    assert bundle["text/plain"] == repr(model)
    shown = Reader(bundle["text/html"])
    assert "260 x 320 px, 3 channels, uint8" in shown.text
    assert "200, one for every 416 px" in shown.text
    assert "steps 20" in shown.text
    (picture,) = shown.pictures
    assert picture.shape == (195, 240, 3)
    expected = np.asarray(Image.fromarray(model.render()).resize((240, 195), Image.Resampling.BOX))
    np.testing.assert_array_equal(picture, expected)
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(bundle["image/png"]))), picture)
    assert len(bundle["text/html"]) < 300_000


def test_a_denoised_image(denoised: Denoised) -> None:
    shown = Reader(denoised._repr_html_())
    assert "60 x 80 px, 3 channels, uint8" in shown.text
    assert "5 (standard deviation)" in shown.text
    assert "2 of" in shown.text
    image, uncertainty = shown.pictures
    np.testing.assert_array_equal(image, np.moveaxis(denoised.image, 0, -1))
    assert uncertainty.shape == image.shape
    assert repr(denoised) == "<Denoised image of shape (3, 60, 80): noise 5, 2 models>"


def test_what_is_not_noisy_has_a_summary_too(photograph: np.ndarray) -> None:
    flat = denoise(np.full((20, 30), 7, np.uint8))
    assert "20 x 30 px" in Reader(flat._repr_html_()).text


@pytest.mark.parametrize("missing", ["ipywidgets", "anywidget"])
def test_a_hint_where_widgets_are_not_installed(missing: str) -> None:
    code = f"import sys; sys.modules[{missing!r}] = None\nimport napari_rsmoe.notebook\n"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("ImportError: ")
    assert missing in last
    assert 'pip install "napari-rsmoe[notebook]"' in last
