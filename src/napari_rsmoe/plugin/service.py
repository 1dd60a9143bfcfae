"""The jobs of this plugin for other plugins, macros and scripts: typed functions on napari layers.

`denoise`, `fit`, `upscale`, `deblur` and `measure_noise` wait for their result and need no window. napari knows them as
the commands ``napari-rsmoe.denoise_layer``, ``.fit_layer``, ``.upscale_layer``, ``.deblur_layer`` and
``.noise_of_layer``. `start` runs a job in the background of a window, with its bar in the activity dock.

`DenoiseSettings`, `FitSettings`, `UpscaleSettings` and `DeblurSettings` are known to magicgui: a function of another
plugin with a parameter of such a type gets this plugin's form for it. So are the results `Model` and `Denoised`, for
functions that return one: its layers are added to the viewer.
"""

# Annotations are evaluated here, as magicgui does not look up names that are written as text; the one that would load
# torch is looked up by those who ask for it.

from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from functools import partial
from typing import Any, ClassVar

import magicgui
import napari.layers
import napari.types
import napari.viewer

import napari_rsmoe

from ..renamed import accept_earlier_outputs
from ..ui.kinds.parameter import Parameter
from ..ui.parameters.fitting import DRAWN
from ..ui.parameters.functions import PARAMETERS
from ..ui.parameters.values import values
from ..ui.signatures import signature_of
from .actions import ACTIONS
from .commands import process_layer
from .source import from_layer

FORMS = "napari_rsmoe.plugin.widgets.settings_field"
"""Module of the fields that magicgui makes for settings; it loads Qt."""


class Settings(Mapping[str, Any]):
    """The settings of a job, checked; those that are not given have their defaults.

    Parameters
    ----------
    **given
        Keywords of the function of the same name in `napari_rsmoe`; see `help` of the class.

    Raises
    ------
    ValueError
        For an unknown name, or a value that is not accepted.
    """

    parameters: ClassVar[tuple[Parameter, ...]] = ()

    def __init__(self, **given: Any) -> None:
        self._values = values(self.parameters, given)

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def changed(self) -> dict[str, Any]:
        """The settings that differ from their defaults."""
        return {p.name: self[p.name] for p in self.parameters if self[p.name] != p.default or p.required}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in self.changed().items())})"

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and isinstance(other, Settings) and self._values == other._values

    __hash__ = None  # type: ignore[assignment]


class DenoiseSettings(Settings):
    """Settings of `denoise`: the keywords of `napari_rsmoe.denoise`, and those for the planes of a stack."""

    parameters = PARAMETERS["denoise_stack"]
    __signature__ = signature_of(PARAMETERS["denoise_stack"])


class FitSettings(Settings):
    """Settings of `fit`: the keywords of `napari_rsmoe.fit`, and the data type of the drawing."""

    parameters = DRAWN
    __signature__ = signature_of(DRAWN)


class UpscaleSettings(Settings):
    """Settings of `upscale`: the keywords of `napari_rsmoe.upscale`."""

    parameters = PARAMETERS["upscale"]
    __signature__ = signature_of(PARAMETERS["upscale"])


class DeblurSettings(Settings):
    """Settings of `deblur`: the keywords of `napari_rsmoe.deblur`; `psf` must be given."""

    parameters = PARAMETERS["deblur"]
    __signature__ = signature_of(PARAMETERS["deblur"])


for _type, _field in (
    (DenoiseSettings, "DenoiseSettingsField"),
    (FitSettings, "FitSettingsField"),
    (UpscaleSettings, "UpscaleSettingsField"),
    (DeblurSettings, "DeblurSettingsField"),
):
    magicgui.register_type(_type, widget_type=f"{FORMS}.{_field}")

SETTINGS: dict[str, type[Settings]] = {
    "denoise": DenoiseSettings,
    "fit": FitSettings,
    "upscale": UpscaleSettings,
    "deblur": DeblurSettings,
}


@accept_earlier_outputs
def denoise(
    layer: napari.layers.Layer,
    settings: DenoiseSettings = DenoiseSettings(),  # noqa: B008  # It is never changed.
    std: bool = True,
    residual: bool = False,
) -> list[napari.types.LayerDataTuple]:
    """Denoise an image layer, and wait for the result.

    Parameters
    ----------
    layer : napari.layers.Image
        Image layer with any number of axes. As a command of napari, by default the active layer.
    settings : DenoiseSettings
        Noise level, quality and so on.
    std, residual : bool
        Whether to make these layers too: the error bar of each pixel, and the image minus the result.

    Returns
    -------
    list of napari.types.LayerDataTuple
        New layers (data, options, type), in the place of the source; magicgui and napari's commands add them to the
        viewer.

    Raises
    ------
    ImageError
        If the layer is not an image that can be denoised.

    Examples
    --------
    >>> import numpy as np
    >>> from napari.layers import Image
    >>> from napari_rsmoe.plugin.service import DenoiseSettings, denoise
    >>> noisy = Image(np.random.default_rng(0).normal(100, 9, (32, 32)), scale=(0.1, 0.1))
    >>> (clean, options, kind), _ = denoise(noisy, DenoiseSettings(preset="fast", models=2, noise=9.0))
    >>> kind, clean.shape, [float(each) for each in options["scale"]]
    ('image', (32, 32), [0.1, 0.1])
    """
    return process_layer("denoise", layer, show={"std": std, "residual": residual}, **settings)


@accept_earlier_outputs
def fit(
    layer: napari.layers.Layer,
    settings: FitSettings = FitSettings(),  # noqa: B008  # It is never changed.
    model: bool = True,
    residual: bool = False,
) -> list[napari.types.LayerDataTuple]:
    """Fit a model to each plane of an image layer, and wait for the result.

    Parameters and results are as for `denoise`; `model` adds the layer with its kernels.
    """
    return process_layer("fit", layer, show={"model": model, "residual": residual}, **settings)


def upscale(
    layer: napari.layers.Layer,
    settings: UpscaleSettings = UpscaleSettings(),  # noqa: B008  # It is never changed.
    bicubic: bool = False,
    std: bool = False,
) -> list[napari.types.LayerDataTuple]:
    """Enlarge an image layer, and wait for the result.

    Parameters and results are as for `denoise`; `bicubic` adds a cubic interpolation for comparison, `std`
    the error bar of each pixel.
    """
    return process_layer("upscale", layer, show={"bicubic": bicubic, "std": std}, **settings)


def measure_noise(layer: napari.layers.Layer, plane: int = 0) -> "napari_rsmoe.NoiseEstimate":
    """Estimate the noise of one plane of an image layer, and wait for the result.

    Parameters
    ----------
    layer : napari.layers.Image
        Image layer with any number of axes.
    plane : int
        Number of the plane, in the order of the axes before Y and X.

    Returns
    -------
    NoiseEstimate
        See `napari_rsmoe.estimate_noise`; `napari_rsmoe.denoise` takes it as `noise`.

    Raises
    ------
    ImageError
        If the layer is not an image, or its noise cannot be measured.
    IndexError
        If there is no such plane.
    """
    from ..noise.estimate import estimate_noise  # here: torch takes seconds to load

    one = from_layer(layer).planes()[plane]
    return estimate_noise(one.image, channel_axis=2 if one.image.ndim == 3 else None)


@accept_earlier_outputs
def deblur(
    layer: napari.layers.Layer,
    settings: DeblurSettings = DeblurSettings(psf=1.5),  # noqa: B008  # It is never changed.
    std: bool = True,
) -> list[napari.types.LayerDataTuple]:
    """Deconvolve an image layer, and wait for the result.

    Parameters
    ----------
    layer : napari.layers.Image
        Image layer with any number of axes. As a command of napari, by default the active layer.
    settings : DeblurSettings
        Point spread function, noise level, quality and so on. By default the blur is a Gaussian with a standard
        deviation of 1.5 pixels.
    std : bool
        Whether to make a layer with the error bar of each pixel too.

    Returns
    -------
    list of napari.types.LayerDataTuple
        As for `denoise`.

    Raises
    ------
    ImageError
        If the layer is not an image that can be deconvolved.

    Examples
    --------
    >>> import numpy as np
    >>> from napari.layers import Image
    >>> from napari_rsmoe.plugin.service import DeblurSettings, deblur
    >>> points = np.zeros((32, 32))
    >>> points[8:30:9, 8:30:9] = 900
    >>> layers = deblur(Image(points, name="points"), DeblurSettings(psf=1.2, noise=0, preset="fast"))
    >>> [options["name"] for _, options, _ in layers]
    ['points deblurred', 'points uncertainty']
    """
    return process_layer("deblur", layer, show={"std": std}, **settings)


@accept_earlier_outputs
def start(
    job: str,
    layer: napari.layers.Layer,
    settings: Settings | None = None,
    viewer: napari.viewer.Viewer | None = None,
    **show: bool,
) -> Future[list[napari.layers.Layer]]:
    """Start a job in the background of a window.

    Parameters
    ----------
    job : {"denoise", "fit", "upscale", "deblur"}
        What to do.
    layer : napari.layers.Image
        Image layer with any number of axes.
    settings : Settings, optional
        Those of the job; by default the defaults.
    viewer : napari.Viewer, optional
        The viewer that gets the new layers; by default the current one.
    **show : bool
        Further layers, as for the function of the job: `std`, `residual`, `model`, `bicubic`.

    Returns
    -------
    concurrent.futures.Future
        Its result is the list of new layers, which are in the viewer then. Its callbacks are called on the thread of
        the window. ``cancel()`` stops the job; what has been computed is kept and becomes the result.

    Raises
    ------
    ImageError
        If the layer is not an image.
    ValueError
        If the job is not known, the settings are those of another job, or there is no viewer.
    """
    from .workers.background import BackgroundJob  # here: the functions that wait need no Qt

    if job not in ACTIONS:
        raise ValueError(f"job={job!r} is not known; use one of {', '.join(ACTIONS)}.")
    settings = SETTINGS[job]() if settings is None else settings
    if not isinstance(settings, SETTINGS[job]):
        raise ValueError(f"{job} takes {SETTINGS[job].__name__}, not {type(settings).__name__}.")
    viewer = napari.current_viewer() if viewer is None else viewer
    if viewer is None:
        raise ValueError("There is no viewer; give one, or open one with napari.Viewer().")
    work = partial(ACTIONS[job], from_layer(layer), dict(settings), **show)
    running = BackgroundJob(viewer, f"{job} {layer.name}", work)
    running.start()
    return running.future


def _add_model(_gui: Any, model: Any, _type: Any) -> None:
    """Show a model that a function has returned: its image and its kernels."""
    from .files import layers_of_model  # here: torch takes seconds to load

    _add(layers_of_model("model", model))


def _add_denoised(_gui: Any, denoised: Any, _type: Any) -> None:
    """Show a denoised image that a function has returned, and its hidden error bar."""
    layers: list[Any] = [(denoised.image, {"name": "denoised"}, "image")]
    if len(denoised.models) > 1:
        layers.append((denoised.std, {"name": "uncertainty", "colormap": "inferno", "visible": False}, "image"))
    _add(layers)


def _add(layers: list[Any]) -> None:
    viewer = napari.current_viewer()
    for each in layers if viewer is not None else ():
        viewer.add_layer(napari.layers.Layer.create(*each))


def __getattr__(name: str) -> Any:
    """`Model` and `Denoised`, which magicgui knows as results from then on; they load torch."""
    if name == "Model":
        from ..model.model import Model  # here: torch takes seconds to load

        magicgui.register_type(Model, return_callback=_add_model)
        return Model
    if name == "Denoised":
        from ..denoising.result import Denoised  # here: torch takes seconds to load

        magicgui.register_type(Denoised, return_callback=_add_denoised)
        return Denoised
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
