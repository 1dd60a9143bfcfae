"""The viewer in a real browser: looking, measuring, keys, names for screen readers, and what is left in the end."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("playwright", reason="install the test extra to drive a browser")
from jupyter_page import Lab, pixels, shared_folder, write_notebook

LOOK = [
    "import ipywidgets\nimport numpy as np\n"
    "from napari_rsmoe.notebook import DeblurWidget, DenoiseWidget, FitWidget, ImagePane, show\n"
    "ramp = np.add.outer(np.zeros(40), np.arange(80)).astype(np.uint8)  # the value is x\n"
    "std = np.full(ramp.shape, 2.5, np.float32)\n"
    'pane = ImagePane([ramp], [ramp + 100], [std], pixel_size={"value": [0.5, 0.5], "unit": "µm"}, height=300)\npane',
    "a, b, c = ramp.copy(), ramp[::2, ::2], ramp + np.uint8(1)\nshow(a, b, c, height=240)",
    "wide = np.tile(ramp, (1, 32))\n"
    "ipywidgets.HBox([show(wide[:64]), show(wide.T), show(np.stack([ramp, ramp + 9]), height=200)])",
    "FitWidget(ramp)",
    'spots = np.zeros((24, 32))\nspots[6::12, 8::8] = 900\nDeblurWidget(spots, psf=1.2, preset="fast", noise=9.0)',
    "np.save('ramp.npy', ramp)\nDenoiseWidget('ramp.npy', target='clean.npy', preset='fast', models=1, noise=2.0)",
]
SAVED = [
    "from skimage import data\nfrom napari_rsmoe.notebook import FitWidget, show\n"
    "image = data.chelsea()[60:124, 100:180]\n"
    'widget = FitWidget(image, n_kernels=30, preset="fast", iterations=20)\nwidget',
    "show(image, before=image[::2, ::2])",
]


@pytest.fixture(scope="module")
def look(lab: Lab) -> Any:
    """The page with all panes of `LOOK`, in a window high enough to show them."""
    lab.page.set_viewport_size({"width": 1400, "height": 4200})
    page = lab.run("look", LOOK)
    page.locator(".rsmoe-action .rsmoe-stage").nth(2).wait_for()
    yield page
    page.set_viewport_size({"width": 1400, "height": 900})


def pane_at(page: Any, number: int) -> Any:
    """One of the panes of the page."""
    return page.locator(".rsmoe-pane").nth(number)


def drag(page: Any, canvas: Any, start: tuple[float, float], end: tuple[float, float]) -> None:
    """Drag over a canvas, between points in shares of its width and height."""
    box = canvas.bounding_box()
    for number, (x, y) in enumerate((start, end)):
        page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"], steps=4)
        (page.mouse.up if number else page.mouse.down)()


def test_values_contrast_and_colours(look: Any) -> None:
    pane = pane_at(look, 0)
    canvas = pane.locator(".rsmoe-canvas")
    box = canvas.bounding_box()
    canvas.hover(position={"x": 0.25 * box["width"] + 3, "y": 0.5 * box["height"] + 3})
    pane.get_by_text("y 20, x 20 (10.2, 10.2 µm)   before 20   after 120 ± 2.5").wait_for()

    # the scale bar, as long as it says
    bar = pane.locator(".rsmoe-scale-bar")
    assert bar.inner_text() == "10 µm"
    assert bar.bounding_box()["width"] == pytest.approx(box["width"] / 4, abs=1.5)

    # limits: from x = 10 to 30 the picture goes from black to white, and the colour bar says so
    assert pane.get_by_role("button", name="Auto").get_attribute("aria-pressed") == "true"
    for name, value in (("Black", "10"), ("White", "30")):
        pane.get_by_label(name).fill(value)
        pane.get_by_label(name).press("Tab")
    pane.get_by_role("button", name="Auto", pressed=False).wait_for()
    pane.locator(".rsmoe-ticks").get_by_text("20", exact=True).wait_for()
    look.wait_for_timeout(500)

    def column(x: float) -> np.ndarray:
        seen = pixels(canvas)
        part: np.ndarray = seen[int(0.8 * len(seen)), int((x + 0.5) / 80 * seen.shape[1])]
        return part

    assert column(8).tolist() == [0, 0, 0]
    assert column(32).tolist() == [255, 255, 255]
    assert column(20).tolist() == pytest.approx([128, 128, 128], abs=2)
    pane.get_by_role("combobox", name="Colours").select_option("green")
    look.wait_for_function("document.querySelector('.rsmoe-pane select').value === 'green'")
    pane.get_by_role("button", name="Log").click()
    pane.get_by_role("button", name="Log", pressed=True).wait_for()
    look.wait_for_timeout(700)
    assert column(20).tolist() == pytest.approx([0, 229, 0], abs=2)  # log(1 + 999 / 2) / log(1000) of 255
    pane.get_by_role("button", name="Log").click()
    pane.get_by_role("button", name="Auto").click()
    pane.locator(".rsmoe-ticks").get_by_text("255", exact=True).wait_for()


def test_profile_and_region(look: Any) -> None:
    pane = pane_at(look, 0)
    canvas = pane.locator(".rsmoe-canvas")
    pane.get_by_role("button", name="Profile").click()
    drag(look, canvas, (0.1, 0.3), (0.9, 0.3))
    plot = pane.locator(".rsmoe-profile")
    plot.wait_for()
    assert plot.locator("polyline").count() == 2
    assert plot.locator("polygon").count() == 1  # the error bar of the result
    assert re.search(r"before and after along the line, \d", plot.locator("title").text_content())
    assert plot.get_by_text("32 µm").count() == 1  # 64 px
    pane.get_by_role("button", name="Region").click()
    drag(look, canvas, (0.25, 0.25), (0.5, 0.75))
    pane.get_by_text("region [10:30, 20:40], 20 x 20 px: mean 129.5, standard deviation 5.766").wait_for()
    pane.get_by_role("button", name="Region").click()  # lay it aside
    pane.get_by_text("region [").wait_for(state="detached")


def test_linked_panes_move_together(look: Any) -> None:
    first, second, third = (pane_at(look, number) for number in (1, 2, 3))
    assert [pane.locator(".rsmoe-caption").inner_text() for pane in (first, second, third)] == ["a", "b", "c"]
    tops = {pane.bounding_box()["y"] for pane in (first, second, third)}
    assert len(tops) == 1  # side by side
    canvas = first.locator(".rsmoe-canvas")
    canvas.hover(position={"x": 40, "y": 40})
    look.mouse.wheel(0, -300)
    look.wait_for_timeout(300)
    views = [list(map(float, each.locator(".rsmoe-stage").get_attribute("data-view").split())) for each in
             (first, second, third)]  # fmt: skip
    assert views[0] == views[2]
    assert views[0][2] > 1.4 * first.locator(".rsmoe-stage").bounding_box()["width"] / 80
    np.testing.assert_allclose(views[1], np.array(views[0]) * [0.5, 0.5, 2], rtol=1e-3)  # of half the resolution
    canvas.hover(position={"x": 44, "y": 44})
    third.get_by_text(re.compile(r"^y \d+, x \d+   image \d+$")).wait_for()
    values = [int(pane.locator(".rsmoe-values").inner_text().split()[-1]) for pane in (first, third)]
    assert values[1] == values[0] + 1
    first.get_by_role("button", name="Log").click()
    third.get_by_role("button", name="Log", pressed=True).wait_for()


def test_long_and_narrow_images_and_wrapping(look: Any) -> None:
    wide, tall, stack = (pane_at(look, number).locator(".rsmoe-stage").bounding_box() for number in (4, 5, 6))
    assert min(wide["width"], tall["width"]) >= 260
    assert min(wide["height"], tall["height"], stack["height"]) >= 140
    seen = pixels(pane_at(look, 4).locator(".rsmoe-canvas"))
    rows = (np.ptp(seen.astype(int), axis=1) > 50).any(1).sum()
    assert rows >= 16  # the image, 40 x 2560 px
    look.set_viewport_size({"width": 900, "height": 4200})
    look.wait_for_timeout(400)
    boxes = [pane_at(look, number).bounding_box() for number in (4, 5, 6)]
    assert len({box["y"] for box in boxes}) > 1  # wrapped
    assert min(box["width"] for box in boxes) >= 260
    labels = look.locator(".rsmoe-action .widget-label:visible").evaluate_all(
        "all => all.map((each) => each.scrollWidth <= each.clientWidth + 1 || each.clientWidth === 1)"
    )
    assert len(labels) >= 4
    assert all(labels)  # none is cut
    look.set_viewport_size({"width": 1400, "height": 4200})


def test_keys(look: Any) -> None:
    pane = pane_at(look, 0)
    stage, canvas = pane.locator(".rsmoe-stage"), pane.locator(".rsmoe-canvas")

    def view() -> np.ndarray:
        look.wait_for_timeout(150)
        return np.array(stage.get_attribute("data-view").split(), float)

    canvas.focus()
    look.keyboard.press("0")
    whole = view()
    look.keyboard.press("+")
    larger = view()
    assert larger[2] == pytest.approx(1.25 * whole[2], rel=1e-3)
    look.keyboard.press("ArrowRight")
    assert view()[1] > larger[1]
    look.keyboard.press("0")
    np.testing.assert_allclose(view(), whole)
    look.keyboard.press("Shift+ArrowRight")
    pane.get_by_text("y 20, x 41 (10.25, 20.75 µm)   before 41   after 141 ± 2.5").wait_for()
    look.keyboard.press("]")
    divider = pane.locator(".rsmoe-divider")
    look.wait_for_timeout(150)
    assert divider.get_attribute("aria-valuenow") == "52"
    look.keyboard.press("u")
    pane.get_by_role("button", name="Uncertainty", pressed=True).wait_for()
    look.keyboard.press("u")
    look.keyboard.press("Tab")
    assert divider.evaluate("each => each === document.activeElement")  # the focus goes on to the divider
    look.keyboard.press("ArrowLeft")
    look.wait_for_timeout(150)
    assert divider.get_attribute("aria-valuenow") == "50"
    stack = pane_at(look, 6)
    stack.locator(".rsmoe-canvas").focus()
    look.keyboard.press("PageUp")
    stack.get_by_text("Z 1", exact=True).wait_for()


def test_deblurring_and_large_images(lab: Lab, look: Any) -> None:
    """Two more jobs, run at once, and their results: in the pane, and in a file."""
    deblurring, large = look.locator(".rsmoe-action").nth(1), look.locator(".rsmoe-action").nth(2)
    deblurring.get_by_role("button", name="Deblur", exact=True).click()
    large.get_by_role("button", name="Denoise", exact=True).click()
    for widget, ended, title in (
        (deblurring, r"^Done, [\d.]+ s, noise 9$", "deblurred"),
        (large, r"^Done, [\d.]+ s, 1 blocks of 128 px, noise 2$", "denoised"),
    ):
        widget.locator(".rsmoe-controls > .widget-label").get_by_text(re.compile(ended)).wait_for()
        widget.locator(".rsmoe-right").get_by_text(title).wait_for()
    clean = np.load(lab.folder / "clean.npy")
    assert (clean.shape, clean.dtype) == ((40, 80), np.uint8)
    assert np.abs(clean - np.arange(80.0)).mean() < 2

    # where a bright point was, the result is brighter than the image
    canvas = deblurring.locator(".rsmoe-canvas")
    box = canvas.bounding_box()
    canvas.hover(position={"x": (16.5 / 32) * box["width"], "y": (6.5 / 24) * box["height"]})
    values = deblurring.get_by_text(re.compile(r"^y 6, x 16   image 900   deblurred .* ± ")).inner_text()
    assert float(values.split("deblurred ")[1].split()[0]) > 900


def test_everybody_can_use_it(look: Any) -> None:
    """An accessibility checker finds nothing, and the Tab key visits the controls in their order on the page."""
    axe = pytest.importorskip("axe_playwright_python", reason="install the test extra to check accessibility")
    widgets = look.locator(".rsmoe-action").all()
    for widget in widgets:
        widget.get_by_role("button", name="More settings").click()
        widget.get_by_role("button", name="As Python").click()
        widget.locator(".rsmoe-copy:visible").wait_for()
    look.evaluate((Path(axe.__file__).parent / "axe.min.js").read_text())
    found = look.evaluate("axe.run({ include: [['.rsmoe-pane'], ['.rsmoe-action']] }, { resultTypes: ['violations'] })")
    assert not [(each["id"], [node["html"][:200] for node in each["nodes"]]) for each in found["violations"]]
    named = "each => each.labels?.length || each.textContent || each.ariaLabel || each.title"
    inputs = look.locator(".rsmoe-action :is(input, select, button)")
    assert inputs.count() > 30
    assert inputs.evaluate_all(f"all => all.every({named})")
    for widget in widgets:
        widget.locator(".rsmoe-field :is(select, input)").first.focus()
        order = []
        for _ in range(60):
            order.append(look.evaluate("document.activeElement.className"))
            if "rsmoe-canvas" in order[-1]:
                break
            look.keyboard.press("Tab")
        names = ("rsmoe-more", "mod-primary", "rsmoe-reset", "rsmoe-auto", "rsmoe-canvas")
        places = [next((place for place, each in enumerate(order) if name in each), -1) for name in names]
        assert -1 not in places, order
        assert places == sorted(places)


def test_the_copy_button_copies_what_the_code_is(look: Any) -> None:
    look.context.grant_permissions(["clipboard-read", "clipboard-write"])
    widget = look.locator(".rsmoe-action").first
    if widget.locator(".rsmoe-copy:visible").count() == 0:
        widget.get_by_role("button", name="As Python").click()
    widget.get_by_role("button", name="Copy", exact=True).click()
    widget.get_by_text("Copied", exact=True).wait_for()
    code = look.evaluate("navigator.clipboard.readText()")
    assert code == "from napari_rsmoe import fit\n\nresult = fit(ramp)"
    style = widget.locator(".rsmoe-code:visible").evaluate("each => getComputedStyle(each).whiteSpaceCollapse")
    assert style == "preserve"


def test_what_stays_when_the_kernel_is_gone(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """Save after a job, restart the kernel, open again, export; in JupyterLab, Notebook 7 and nbconvert."""
    page = lab.run("saved", SAVED)
    page.get_by_role("button", name="Fit", exact=True).click()
    page.locator(".rsmoe-controls > .widget-label").get_by_text("Done,").wait_for()
    page.locator(".rsmoe-right").get_by_text("image").wait_for()  # titles are the names of variables
    assert page.get_by_text("A saved picture").count() == 2
    assert page.get_by_text("A saved picture").first.is_hidden()  # while the live one is there
    page.wait_for_timeout(1500)
    page.get_by_role("menuitem", name="File", exact=True).click()
    page.get_by_text("Save Notebook", exact=True).first.click()
    page.wait_for_timeout(1000)
    path = lab.folder / "saved.ipynb"
    outputs = [output["data"] for cell in json.loads(path.read_text())["cells"] for output in cell["outputs"]]
    saved = [data for data in outputs if "image/png" in data]
    assert len(saved) == 2
    text = "".join(saved[0]["text/html"])
    assert "fit(image, n_kernels=30" in text
    assert re.search(r"Done, [\d.]+ s, \d\d\.\d\d dB in a range of 255, 30 kernels", text)
    assert "result: Model" in "".join(saved[0]["text/plain"])
    assert "result: None" not in path.read_text()

    page.get_by_role("menuitem", name="Kernel", exact=True).click()
    page.get_by_text("Restart Kernel…", exact=True).first.click()
    page.locator(".jp-Dialog .jp-mod-accept").click()
    page.get_by_text("The kernel was restarted or stopped").first.wait_for()
    icons = "all => all.map((each) => getComputedStyle(each, '::before').content).filter((each) => each !== 'none')"
    assert page.locator(".jupyter-widgets-disconnected").evaluate_all(icons) == []

    page.goto(f"{lab.address}/lab/tree/saved.ipynb?reset")
    page.get_by_text("A saved picture").first.wait_for()
    page.wait_for_timeout(500)
    assert page.get_by_alt_text("fit").is_visible()
    assert page.get_by_text("model not found").locator("visible=true").count() == 0
    page.goto(f"{lab.address}/notebooks/saved.ipynb")
    page.get_by_alt_text("fit").wait_for()

    from nbconvert import HTMLExporter

    monkeypatch.setenv("JUPYTER_PATH", str(shared_folder()))
    body, _ = HTMLExporter(template_name="lab").from_filename(str(path))
    (lab.folder / "saved.html").write_text(body)
    page.goto((lab.folder / "saved.html").as_uri())
    assert page.get_by_alt_text("fit").evaluate("each => each.naturalWidth") >= 200


@pytest.mark.parametrize("program", ["notebook", "voila"])
def test_other_programs_show_the_live_widget(lab: Lab, program: str) -> None:
    pytest.importorskip(program, reason="install the test extra to try other programs")
    write_notebook(lab.folder / "live.ipynb", [SAVED[0]])
    page = lab.page
    if program == "voila":
        page.goto(f"{lab.address}/voila/render/live.ipynb")
    else:
        page.goto(f"{lab.address}/notebooks/live.ipynb")
        page.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]").wait_for()
        page.get_by_role("menuitem", name="Run", exact=True).click()
        page.get_by_text("Run All Cells", exact=True).click()
    page.locator(".rsmoe-stage").wait_for()
    page.get_by_role("button", name="Fit", exact=True).click()
    page.get_by_text("Done,").first.wait_for()
    page.locator(".rsmoe-right").get_by_text("fit").wait_for()
    assert page.get_by_text("A saved picture").first.is_hidden()
