"""Widgets for Jupyter notebooks: denoising, fitting, super-resolution, deconvolution, a kernel explorer, and `show`.

>>> from napari_rsmoe.notebook import DenoiseWidget, show
>>> DenoiseWidget(image)  # doctest: +SKIP
>>> show(napari_rsmoe.fit(image), before=image)  # doctest: +SKIP

`job_widget` runs a job on a thread beside a viewer pane (`pane`, which draws with `viewer.js`); `form` makes controls
for the parameters that all user interfaces share. Modules here may import everything except the other front ends.
"""

from __future__ import annotations

try:
    import anywidget  # noqa: F401
    import ipywidgets  # noqa: F401
except ImportError as error:
    raise ImportError(
        f"The notebook widgets need {error.name}, which is not installed here. Run: "
        'pip install "napari-rsmoe[notebook]", and restart the kernel.',
        name=error.name,
    ) from error

from .enlarging import DeblurWidget, SuperResolutionWidget
from .explorer import KernelExplorer
from .linked import LinkedPanes
from .pane import ImagePane
from .views import show
from .widgets import DenoiseWidget, FitWidget

__all__ = [
    "DeblurWidget",
    "DenoiseWidget",
    "FitWidget",
    "ImagePane",
    "KernelExplorer",
    "LinkedPanes",
    "SuperResolutionWidget",
    "show",
]
