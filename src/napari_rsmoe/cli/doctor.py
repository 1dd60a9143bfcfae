"""``napari-rsmoe doctor``."""

from __future__ import annotations

import json
from dataclasses import asdict

import click

from .options import Common, report_options
from .program import FAILED, Verb


@click.command("doctor", cls=Verb, options_metavar="[options]")
@report_options
def command(common: Common) -> int:
    """Check the installation: versions, the compiled engine, processor, memory, CUDA.

    \b
    Examples
      napari-rsmoe doctor
      napari-rsmoe doctor --json

    The exit code is 1 if there is a problem. Each problem comes with a remedy. Paste the report when you report an
    issue.
    """  # noqa: D301
    from .installation import PROBLEM, report, text  # here: torch takes seconds to load

    checks = report()
    healthy = all(check.status != PROBLEM for check in checks)
    if common.json:
        entries = [asdict(check) for check in checks]
        click.echo(json.dumps({"verb": "doctor", "ok": healthy, "checks": entries}))
    elif common.silent:
        click.echo(text([check for check in checks if check.status == PROBLEM]), nl=not healthy)
    else:
        click.echo(text(checks))
    return 0 if healthy else FAILED
