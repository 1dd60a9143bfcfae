"""How jobs of the command line run and report."""

from __future__ import annotations

from ... import ranges
from ..kinds.choices import Choice, Flag
from ..kinds.numbers import FloatParameter, IntParameter
from ..kinds.parameter import Automatic, Parameter
from ..kinds.texts import Text

THREADS = IntParameter(
    name="threads",
    label="Threads",
    help="How many processor threads to use. The result does not depend on it.",
    default=None,
    automatic=Automatic(None, "all cores"),
    **ranges.THREADS.ends,
    first=4,
)
"""For every command that computes."""
CLUSTER = Text(
    name="cluster",
    label="Cluster",
    help="Denoise block by block on the workers of Dask: local (processes of this machine), slurm, pbs or lsf (jobs of "
    "a batch system), or the address of a scheduler, such as tcp://host:8786.",
    default=None,
    automatic=Automatic(None, "this process"),
    what="ADDRESS|local|slurm",
)
WORKERS = IntParameter(
    name="workers",
    label="Workers",
    help="How many processes or jobs of the cluster work. The result does not depend on it.",
    default=1,
    **ranges.WORKERS.ends,
)
STATUS = Flag(
    name="status",
    label="Status",
    help="Say how much of the job on OUTPUT is done and how long it will take, and do nothing else.",
    default=False,
)
OME_ZARR = Choice(
    name="ome_zarr",
    label="OME-Zarr",
    help="Version of OME-Zarr that is written block by block: 0.5 with shards, or 0.4 for older programs.",
    default="0.5",
    choices=("0.5", "0.4"),
    what="VERSION",
)
LARGE: tuple[Parameter, ...] = (CLUSTER, WORKERS, STATUS, OME_ZARR)
"""How the command line denoises images of any size."""
FOLLOW = Flag(
    name="follow",
    label="Follow",
    help="INPUT is a film that is still being written: a folder of frames, or a Zarr array or TIFF that grows. "
    "Each frame is denoised as it arrives. OUTPUT is a folder for the frames, or a stack that is written when the "
    "film ends.",
    default=False,
)
FRAMES = IntParameter(
    name="frames",
    label="Frames",
    help="How many frames a film that is followed has. By default it ends when nothing new comes.",
    default=None,
    automatic=Automatic(None, "until nothing comes"),
    **ranges.FRAMES.ends,
    first=100,
)
IDLE = FloatParameter(
    name="idle",
    label="Idle",
    help="Seconds without a new frame after which a film that is followed has ended.",
    default=60.0,
    **ranges.IDLE.ends,
    unit="s",
)
FOLLOWING: tuple[Parameter, ...] = (FOLLOW, FRAMES, IDLE)
"""How the command line denoises films while they are written."""
LOG_LEVEL = Choice(
    name="log_level",
    label="Messages",
    help="What is printed on stderr: debug (with the messages of libraries), info (what was found and decided), "
    "warning (what you should know), or error (failures only).",
    default="warning",
    choices=("debug", "info", "warning", "error"),
    what="LEVEL",
)
REPORT: tuple[Parameter, ...] = (
    Flag(name="json", label="JSON", help="Print one JSON object on stdout, all else on stderr.", default=False),
    Flag(
        name="quiet",
        label="Quiet",
        help="Print errors only, and no progress bar; the same as --log-level error.",
        default=False,
        short="q",
    ),
    Flag(
        name="verbose",
        label="Verbose",
        help="Say what was found and decided; the same as --log-level info.",
        default=False,
        short="v",
    ),
    LOG_LEVEL,
)
"""What the command line prints."""
