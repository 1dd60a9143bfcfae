"""The lists of the compared methods, each with its published or usual settings."""

from __future__ import annotations

from ...model.experts import Mode
from . import (
    bm3d,
    bm3d_blind,
    gaussian_blur,
    gaussian_image,
    interpolation,
    multi_model,
    nl_ridge,
    nonlocal_means,
    rsmoe,
    rsmoe_denoising,
    rsmoe_enlarging,
    total_variation,
    vst_bm3d,
    wavelet,
    wnnm,
)
from .denoiser import Denoiser
from .enlarger import Enlarger
from .fit_method import FitMethod

OURS = "R-SMoE, ours"
PRESETS = ("fast", "balanced", "best")
RELEASED = ", as released"
MODES: dict[str, Mode] = {"MM-R-SMoE": "smoe", "MM-GaussianImage": "rbf"}

FITS = (
    FitMethod(OURS, rsmoe.fitting("balanced"), rsmoe.__name__, ours=True),
    FitMethod("R-SMoE, paper's settings", rsmoe.fitting("paper"), rsmoe.__name__),
    FitMethod("rasterized RBF, paper's settings", rsmoe.fitting("paper", "rbf"), rsmoe.__name__),
    FitMethod("GaussianImage, its settings", gaussian_image.fit, gaussian_image.__name__),
    FitMethod("global SMoE", rsmoe.fitting("paper", rasterized=False), rsmoe.__name__, rasterized=False),
    FitMethod("global RBF", rsmoe.fitting("paper", "rbf", rasterized=False), rsmoe.__name__, rasterized=False),
)


def denoisers(models: int) -> tuple[Denoiser, ...]:
    """All denoisers. The multi-model ones have up to `models` models, and are left out if it is 0."""
    plain = (
        *(
            Denoiser(f"{OURS}, {preset}", rsmoe_denoising.denoising(preset), rsmoe_denoising.__name__, "nothing")
            for preset in PRESETS
        ),
        Denoiser("BM3D, colour", bm3d.colour, bm3d.__name__, grey=False),
        Denoiser("BM3D", bm3d.colour, bm3d.__name__, colour=False),
        Denoiser("NL-Ridge-like", nl_ridge.denoise, nl_ridge.__name__, colour=False),
        Denoiser("WNNM-like, not checked", wnnm.denoise, wnnm.__name__, colour=False),
        Denoiser("BM3D, each channel", bm3d.each_channel, bm3d.__name__, grey=False),
        Denoiser("BM3D, first stage (the paper's row)", bm3d.first_stage, bm3d.__name__, grey=False),
        Denoiser("BM3D, blind", bm3d_blind.denoise, bm3d_blind.__name__, "nothing", pairs_only=True),
        Denoiser("VST + BM3D, blind", vst_bm3d.blind, vst_bm3d.__name__, "nothing", colour=False, pairs_only=True),
        Denoiser("VST + BM3D, true model", vst_bm3d.true_noise, vst_bm3d.__name__, colour=False, pairs_only=True),
        Denoiser("non-local means", nonlocal_means.denoise, nonlocal_means.__name__),
        Denoiser("wavelets", wavelet.denoise, wavelet.__name__),
        Denoiser("total variation", total_variation.denoise, total_variation.__name__),
        Denoiser(
            "total variation, best weight", total_variation.oracle, total_variation.__name__, "truth", pairs_only=True
        ),
        Denoiser("Gaussian blur, best width", gaussian_blur.oracle, gaussian_blur.__name__, "truth", pairs_only=True),
    )
    if models == 0:
        return plain
    many = (
        Denoiser(
            name := f"{kind}{'' if threshold is None else f'-seg-{threshold:g}'}{end}",
            multi_model.denoising(name, models, mode, threshold, recipes[mode]),
            multi_model.__name__,
            "nothing",
        )
        for end, recipes in (("", multi_model.TUNED), (RELEASED, dict.fromkeys(MODES.values(), multi_model.RELEASED)))
        for kind, mode in MODES.items()
        for threshold in (None, 20.0, 10.0)
    )
    return (*plain, *many)


def enlargers(iterations: int) -> tuple[Enlarger, ...]:
    """All super-resolution methods; `iterations` are the steps of GaussianImage."""
    splats = gaussian_image.enlarge(iterations, 1 / 3)
    return (
        Enlarger(OURS, rsmoe_enlarging.enlarging("balanced"), rsmoe_enlarging.__name__),
        Enlarger(f"{OURS}, best", rsmoe_enlarging.enlarging("best"), rsmoe_enlarging.__name__),
        Enlarger("GaussianImage, its settings", splats, gaussian_image.__name__, iterations),
        *(Enlarger(name, interpolation.enlarge(name), interpolation.__name__) for name in interpolation.FILTERS),
    )
