"""Forms in notebooks are made from the description of a parameter, whatever it is."""

from __future__ import annotations

from typing import Any

import pytest
from made_up import EXPECTED, MADE_UP, TABLE

pytest.importorskip("ipywidgets", reason="install the notebook extra")

from napari_rsmoe.notebook.form import Form
from napari_rsmoe.ui.kinds.numbers import Number
from napari_rsmoe.ui.kinds.parameter import Parameter
from napari_rsmoe.ui.parameters.functions import PARAMETERS


def test_a_form_begins_with_the_defaults_and_shows_what_is_set() -> None:
    form = Form(TABLE, {})
    assert form.values == {parameter.name: parameter.default for parameter in TABLE}
    form.values = EXPECTED
    assert form.values == EXPECTED
    assert Form(TABLE, EXPECTED).values == EXPECTED


@pytest.mark.parametrize(("parameter", "value", "refused"), MADE_UP)
def test_a_field_has_label_help_and_range(parameter: Parameter, value: Any, refused: Any) -> None:
    form = Form(TABLE, {parameter.name: value})
    field = form.fields[parameter.name]
    assert {child.description for child in field.children} == {parameter.caption}  # names of the inputs
    assert field.control.tooltip == parameter.help
    assert form.values[parameter.name] == value
    if isinstance(parameter, Number):
        assert (field.control.min, field.control.max) == parameter.bounds
    with pytest.raises(ValueError, match=f"{parameter.label}: "):
        Form(TABLE, {parameter.name: refused})


def test_what_is_left_to_the_program_is_a_choice_beside_a_value() -> None:
    form = Form(TABLE, {})
    field = form.fields["rounds"]
    assert [text for text, _ in field.automatic.options] == ["auto: as many as help", "value"]
    assert field.control.layout.display == "none"
    field.automatic.value = False
    assert field.control.layout.display == ""
    assert form.values["rounds"] == 7
    field.leave()
    assert form.values["rounds"] == "auto"
    start = Form(PARAMETERS["fit"], {}).fields["start"]  # names, of which one is to leave it to the program
    assert [text for text, _ in start.control.options] == ["set by Quality", "segmentation", "content", "random"]
    assert start.value is None
    start.value = "random"
    assert start.value == "random"
    start.leave()
    assert start.value is None


def test_a_text_that_is_not_accepted_is_refused_in_words() -> None:
    form = Form(TABLE, {"blur": 3.5})
    form.fields["blur"].control.value = "2, 100, 1.5"
    assert form.values["blur"] == (2.0, 100.0, 1.5)
    form.fields["blur"].control.value = "loud"
    with pytest.raises(ValueError, match="Blur: 'loud' is not a number of at least 0 or GAIN,OFFSET,READ"):
        print(form.values)
