"""What the tests of the command line share."""

import inspect
import subprocess
import sys

from click.testing import CliRunner

from napari_rsmoe.cli.program import main
from napari_rsmoe.io.units import PixelSize

QUICK = ("--iterations", "10")
FEW = ("--n-kernels", "20", *QUICK)
SIZES = {"Y": PixelSize(0.5, "micrometer"), "X": PixelSize(0.5, "micrometer")}


def run(*arguments):
    # Before click 8.2 the two outputs are apart only on request, and the request is gone since.
    apart = {"mix_stderr": False} if "mix_stderr" in inspect.signature(CliRunner).parameters else {}
    return CliRunner(**apart).invoke(main, [str(a) for a in arguments])


def program(*arguments, **options):
    code = "from napari_rsmoe.cli.program import main; main(prog_name='napari-rsmoe')"
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)


def names(folder):
    return sorted(path.name for path in folder.iterdir())
