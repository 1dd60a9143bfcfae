"""Results as a notebook shows them without widgets: small pictures and a table.

Plain HTML without styles or scripts, so that static exports and viewers that strip those show all of it. Formats that
have no HTML (LaTeX, a terminal with pictures) get the picture as PNG and the text.
"""

from __future__ import annotations

import html
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from .pictures import data_uri, display_range, png, shrink, to_rgb, uncertainty_range, uncertainty_rgb

if TYPE_CHECKING:
    from ..denoising.denoise import Denoised
    from ..model.model import Model

SIDE = 240  # px, of a picture at most


def model_bundle(model: Model) -> dict[str, Any]:
    """A model for `_repr_mimebundle_`: drawn, and its figures."""
    drawn = model.layout.channels_last(model.render())
    rows = {
        **_size(model.shape, model.channels, model.layout.dtype),
        "kernels": f"{model.n_kernels}, one for every {np.prod(model.shape) / model.n_kernels:.3g} px",
        "experts": "linear" if model.linear else "constant",
        "gates": {"smoe": "soft, sum to one (smoe)", "rbf": "none (rbf)"}[model.mode],
    }
    known = {name: model.metadata[name] for name in ("preset", "steps", "seed") if name in model.metadata}
    if known:
        rows["fit"] = ", ".join(f"{name} {value}" for name, value in known.items())
    return _bundle(repr(model), {"model": to_rgb(drawn, display_range(drawn))}, rows)


def denoised_bundle(result: Denoised) -> dict[str, Any]:
    """A denoised image for `_repr_mimebundle_`: with its uncertainty, and its figures."""
    image, std = result.image, result.std
    if result.models:
        layout = result.models[0].layout
        image, std = layout.channels_last(image), layout.channels_last(std)
    rows = {
        **_size(image.shape[:2], image.shape[2] if image.ndim == 3 else 1, image.dtype),
        "noise": f"{result.noise:.4g} (standard deviation)",
    }
    counts = sorted({model.n_kernels for model in result.models})
    if counts:
        most = f" to {counts[-1]}" if len(counts) > 1 else ""
        rows["models"] = f"{len(result.models)} of {counts[0]}{most} kernels"
    pictures = {"denoised": to_rgb(image, display_range(image))}
    if len(result.models) > 1:
        high = uncertainty_range(std)
        rows["uncertainty"] = f"mean {std.mean(dtype=np.float64):.4g}, black 0, white {high:.4g} and above"
        pictures["uncertainty"] = uncertainty_rgb(std, high)
    return _bundle(repr(result), pictures, rows)


def _size(shape: tuple[int, ...], channels: int, dtype: Any) -> dict[str, str]:
    colours = f", {channels} channels" if channels > 1 else ""
    return {"size": f"{shape[0]} x {shape[1]} px{colours}, {np.dtype(dtype).name}"}


def _bundle(text: str, pictures: Mapping[str, np.ndarray], rows: Mapping[str, str]) -> dict[str, Any]:
    small = {name: shrink(rgb, SIDE) for name, rgb in pictures.items()}
    cells = [f'<img src="{data_uri(png(rgb))}" alt="{name}"><br>{name}' for name, rgb in small.items()]
    cells.append("<br>".join(f"<b>{name}</b>: {html.escape(value)}" for name, value in rows.items()))
    # Notebooks align cells to the right, but not what is in them.
    columns = "".join(f'<td valign="top"><div align="left">{cell}</div></td>' for cell in cells)
    table = f"<table><tr>{columns}</tr></table>"
    return {"text/plain": text, "text/html": table, "image/png": png(np.concatenate(list(small.values()), 1))}
