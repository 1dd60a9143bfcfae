"""Options are made from the description of a parameter, whatever it is."""

from __future__ import annotations

from typing import Any

import click
import pytest
from click.testing import CliRunner
from made_up import EXPECTED, MADE_UP, TABLE

from napari_rsmoe.cli.options import option_of, settings
from napari_rsmoe.cli.program import Verb
from napari_rsmoe.ui.calls import option_words
from napari_rsmoe.ui.kinds.choices import Flag
from napari_rsmoe.ui.kinds.numbers import IntParameter
from napari_rsmoe.ui.kinds.parameter import Automatic, Parameter

SEEN: dict[str, Any] = {}


@click.command("made-up", cls=Verb)
@settings(TABLE)
def made_up(given: dict[str, Any]) -> None:
    """Keep what arrives."""
    SEEN.clear()
    SEEN.update(given)


def run(*words: str) -> Any:
    return CliRunner().invoke(made_up, list(words))


def test_without_options_all_values_are_the_defaults() -> None:
    assert run().exit_code == 0
    assert {parameter.name: parameter.default for parameter in TABLE} == SEEN


def test_what_a_call_writes_arrives() -> None:
    words = [word for parameter in TABLE for word in option_words(parameter, EXPECTED[parameter.name])]
    result = run(*words)
    assert result.exit_code == 0, result.output
    assert SEEN == EXPECTED


@pytest.mark.parametrize(("parameter", "value", "refused"), MADE_UP)
def test_help_and_check(parameter: Parameter, value: Any, refused: Any) -> None:
    text = " ".join(run("--help").output.split())
    assert parameter.flag in text
    assert parameter.help in text
    assert parameter.placeholder in text
    if isinstance(parameter, Flag):
        assert (f"{parameter.flag} / {parameter.off_flag}" in text) == parameter.default
        return
    if isinstance(refused, str | int | float) and parameter.name != "tag":
        result = run(parameter.flag, str(refused))
        assert result.exit_code == 2
        assert parameter.flag in result.output


@pytest.mark.parametrize("word", ["auto", "3"])
def test_automatic_values_are_written_as_they_are(word: str) -> None:
    assert run("--rounds", word).exit_code == 0
    assert SEEN["rounds"] == ("auto" if word == "auto" else 3)


def test_an_option_may_be_given_several_times() -> None:
    parameter = IntParameter(
        name="size", label="Size", help="A size.", default=None, automatic=Automatic(None, "all"), low=2
    )
    command = click.command(cls=Verb)(option_of(parameter, several=True)(lambda size: click.echo(repr(size))))
    assert CliRunner().invoke(command, ["--size", "2", "--size", "30"]).output == "(2, 30)\n"
    assert CliRunner().invoke(command, []).output == "()\n"
    assert CliRunner().invoke(command, ["--size", "1"]).exit_code == 2
    assert "May be given several times." in CliRunner().invoke(command, ["--help"]).output
