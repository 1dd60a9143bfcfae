"""Ask the advisory service for known faults of the packages in this environment, with pip-audit.

``python scripts/audit.py [--if-reachable]``: the exit code is 1 if there are known faults, or if the service cannot be
asked; with ``--if-reachable`` the latter is only said.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

KNOWN = "pillow==9.0.0"
"""A package with known faults: a service that knows none of them has not been reached, or is a mirror without them."""
SECONDS = "10"  # Patience with the service for one answer.


def audit(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run pip-audit."""
    command = [sys.executable, "-m", "pip_audit", "--progress-spinner", "off", "--timeout", SECONDS, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def is_reachable() -> bool:
    """Whether the service knows the faults of a package that has some."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "requirements.txt"
        file.write_text(KNOWN, "utf-8")
        done = audit("--requirement", str(file), "--no-deps", "--disable-pip", "--format", "json")
    try:
        packages = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError):
        return False
    return any(package.get("vulns") for package in packages)


def main() -> int:
    """Ask, and print the answer."""
    if not is_reachable():
        print("pip-audit: the advisory service cannot be reached from here, so nothing is known about faults.")
        return 0 if "--if-reachable" in sys.argv else 1
    done = audit("--local", "--skip-editable")
    print(done.stdout, done.stderr, sep="\n")
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
