"""Pictures for notebooks and papers, with matplotlib."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from .model.kernels import Kernels

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    # Imported here to save start-up time.
    from matplotlib.collections import EllipseCollection


def pictures(
    images: Mapping[str, ArrayLike],
    *,
    columns: int | None = None,
    width: float = 10.0,
    limits: tuple[float, float] | None = None,
    colours: str = "gray",
) -> np.ndarray:
    """Draw images side by side, pixel by pixel, without axes.

    Parameters
    ----------
    images : mapping of str to array-like
        Images by title: (Y, X), or (Y, X, C) with 3 or 4 channels. Floating colours are clipped to
        [0, 1].
    columns : int, optional
        Images in a row, at least 1; by default all.
    width : float
        Width of the figure in inches; its height follows from the shapes of the images.
    limits : (float, float), optional
        Values of grey images that are drawn darkest and brightest; by default the smallest and largest of each image.
    colours : str
        Name of the matplotlib colour map of grey images.

    Returns
    -------
    numpy.ndarray
        (number of images,) matplotlib axes, to draw more onto; pixel centres are at integers.

    Raises
    ------
    ValueError
        If there is no image, one is not 2-D or coloured, or `columns` is below 1.
    ModuleNotFoundError
        Without matplotlib.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_rsmoe import plots
    >>> axes = plots.pictures({"before": np.eye(8), "after": 1 - np.eye(8)})
    >>> [axis.get_title() for axis in axes]
    ['before', 'after']
    """
    pyplot = _pyplot()
    arrays = {title: _drawable(title, image) for title, image in images.items()}
    if not arrays:
        raise ValueError("images is empty; give at least one title and image.")
    if columns is not None and columns < 1:
        raise ValueError(f"columns={columns!r} must be at least 1.")
    columns = min(columns or len(arrays), len(arrays))
    rows = math.ceil(len(arrays) / columns)
    tallest = max(array.shape[0] / array.shape[1] for array in arrays.values())
    lines = max(title.count("\n") + 1 for title in arrays)
    height = rows * (tallest * width / columns + 0.22 * lines)
    figure, grid = pyplot.subplots(rows, columns, figsize=(width, height), squeeze=False, layout="constrained")
    figure.get_layout_engine().set(w_pad=0.03, h_pad=0.03, wspace=0.01, hspace=0.01)
    for axis in grid.flat:
        axis.set_axis_off()
    low, high = limits or (None, None)
    for axis, (title, array) in zip(grid.flat, arrays.items(), strict=False):
        axis.imshow(array, cmap=colours, vmin=low, vmax=high, interpolation="nearest")
        axis.set_title(title, fontsize=10)
    axes: np.ndarray = grid.ravel()[: len(arrays)]
    return axes


def outlines(
    axis: Axes, kernels: Kernels, *, scale: float = 1.0, radius: float = 1.0, **style: Any
) -> EllipseCollection:
    """Draw the ellipses of kernels over a picture whose pixel centres are at integers.

    Parameters
    ----------
    axis : matplotlib.axes.Axes
        Axes that show an image, as by `pictures` or ``axis.imshow(image)``.
    kernels : Kernels
        For example those of `Model.kernels`.
    scale : float
        Scale of the picture, as in ``model.render(scale=...)``.
    radius : float
        Radius of the ellipses, in standard deviations of the kernels.
    **style
        Keywords of `matplotlib.collections.EllipseCollection`, such as ``edgecolors`` and ``linewidths``.

    Returns
    -------
    matplotlib.collections.EllipseCollection
        The ellipses.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_rsmoe import fit, plots
    >>> model = fit(np.eye(16), n_kernels=5, iterations=10)
    >>> (axis,) = plots.pictures({"model": model.render()})
    >>> len(plots.outlines(axis, model.kernels()).get_offsets())
    5
    """
    _pyplot()
    # Imported here to save start-up time.
    from matplotlib.collections import EllipseCollection

    long, short = 2 * radius * scale * kernels.axes.T
    x, y = ((kernels.center + 0.5) * scale - 0.5).T[::-1]
    limits = axis.get_xlim(), axis.get_ylim()
    ellipses = EllipseCollection(
        long, short, np.degrees(kernels.angle), units="xy", offsets=np.column_stack([x, y]),
        offset_transform=axis.transData,
        **{"facecolors": "none", "edgecolors": "white", "linewidths": 0.8, **style},
    )  # fmt: skip
    axis.add_collection(ellipses)
    axis.set(xlim=limits[0], ylim=limits[1])
    return ellipses


def _drawable(title: str, image: ArrayLike) -> np.ndarray:
    array = np.asarray(image)
    if not (array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (3, 4))) or array.size == 0:
        raise ValueError(f"{title!r} has shape {array.shape}; it must be (Y, X), or (Y, X, C) of 3 or 4 channels.")
    return np.clip(array, 0, 1) if array.ndim == 3 and array.dtype.kind == "f" else array


def _pyplot() -> Any:
    try:
        # Imported here to save start-up time; it is an extra, which may be missing.
        from matplotlib import pyplot
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "Pictures need matplotlib: pip install 'napari-rsmoe[notebook]', or pip install matplotlib."
        ) from error
    return pyplot
