"""Command lines: words that users and scripts write, rightly and wrongly."""

from __future__ import annotations

from hypothesis import strategies as st

VALUES = st.sampled_from(
    ["0", "1", "2", "-1", "1e9", "1e300", "nan", "inf", "", "auto", "fast", "cpu", "uint8", "float64", "1,2", "1,2,3",
     "0,0,5,5", "YX", "XY", "ZYX", "YXS", "\x1b[2J", "\ud800", "9" * 30, "--", "-",
     "a.png", "nowhere/b.png", "1M", "tif", "2.5"]
)  # fmt: skip
INPUTS = ["a.png", "a.npy", "a.ome.tif", "a.jpg", "a.zarr", "folder"]
OUTPUTS = ["out.png", "out.tif", "out.npy", "out.ome.zarr", "out.jpg"]
ODD_INPUTS = ["a.rsmoe", "none.png", "text.png", "", "."]
ODD_OUTPUTS = ["out.rsmoe", "out", "folder", "a.png", "no/out.png", ""]
VERBS = {"info": 1, "noise": 1, "denoise": 2, "fit": 2, "upscale": 2, "render": 2}
QUICK = {
    "denoise": ["--models", "1", "--preset", "fast"], "fit": ["--n-kernels", "6", "--iterations", "3"],
    "upscale": ["--scale", "1.5", "--preset", "fast"], "render": [], "info": [], "noise": [],
}  # fmt: skip


@st.composite
def lines(draw: st.DrawFn) -> list[str]:
    """A verb, its files, quick settings, and up to two options with any values; a film that is followed ends soon."""
    from napari_rsmoe.cli.program import main  # here: the options of all verbs

    verb = draw(st.sampled_from(sorted(VERBS)))
    sound = ["a.rsmoe"] if verb == "render" else INPUTS
    files = [draw(st.sampled_from(sound * 4 + ODD_INPUTS))]
    if VERBS[verb] == 2:
        files.append(draw(st.sampled_from(OUTPUTS * 4 + ODD_OUTPUTS)))
    command = main.get_command(None, verb)  # type: ignore[arg-type]
    assert command is not None
    flags = sorted(
        {name for option in command.params for name in (*option.opts, *option.secondary_opts) if name[0] == "-"}
    )
    extra: list[str] = []
    for _ in range(draw(st.integers(0, 2))):
        flag = draw(st.sampled_from([*flags, "--none", "-"]))
        extra += [flag] if draw(st.booleans()) else [flag, draw(VALUES)]
    soon = ["--idle", "0.1"] if "--follow" in extra else []
    return [verb, *files, *QUICK[verb], *extra, *soon]
