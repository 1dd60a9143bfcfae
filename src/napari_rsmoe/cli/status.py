"""How much of a job is done that was interrupted."""

from __future__ import annotations

import json
from dataclasses import asdict

import click

from .options import Common


def show_status(verb: str, target: str, common: Common) -> int:
    """Print how much of the job on a result is done; returns the exit code."""
    from ..denoising.large.running import status_of  # here: torch takes seconds

    found = status_of(target)
    if common.json:
        click.echo(json.dumps({"verb": verb, "output": target, **asdict(found)}))
    else:
        click.echo(f"{target}: {found}")
    return 0
