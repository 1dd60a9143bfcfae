"""Made-up parameters, one of each kind: whatever is described like this must appear in every front end."""

from __future__ import annotations

from typing import Any

from napari_rsmoe.ui.kinds.choices import Choice, Flag
from napari_rsmoe.ui.kinds.numbers import FloatParameter, IntParameter, NoiseParameter, Numbers
from napari_rsmoe.ui.kinds.parameter import Automatic, Parameter
from napari_rsmoe.ui.kinds.texts import Folder, Size, Text

MADE_UP: tuple[tuple[Parameter, Any, Any], ...] = (
    (IntParameter(name="tile_side", label="Side", help="Side of a tile.", default=16, low=4, high=64, unit="px"), 8, 3),
    (
        IntParameter(
            name="rounds", label="Rounds", help="How many rounds.", default="auto", low=1, first=7,
            automatic=Automatic("auto", "as many as help"), advanced=True,
        ),
        5, 0,
    ),
    (FloatParameter(name="weight_decay", label="Decay", help="Decay of a weight.", default=0.5, positive=True), 0.1, 0),
    (
        FloatParameter(
            name="limit", label="Limit", help="Largest value.", default=None, automatic=Automatic(None, "off"), low=-1,
            high=1, first=0.25,
        ),
        -0.5, 2,
    ),
    (Choice(name="border", label="Border", help="What lies outside.", default="mirror", choices=("mirror", "zero")),
     "zero", "wrap"),
    (Flag(name="keep_order", label="Order", help="Keep the order.", default=True), False, "no"),
    (Flag(name="verbose_log", label="Log", help="Tell more.", default=False, advanced=True), True, 1),
    (NoiseParameter(name="blur", label="Blur", help="The blur.", default="auto",
                    automatic=Automatic("auto", "estimate")), (2.0, 100.0, 1.5), -3),
    (Numbers(name="corner", label="Corner", help="Where to begin.", default=None, automatic=Automatic(None, "at 0,0"),
             parts=("Y", "X"), whole=True), (3, 4), (1,)),
    (Text(name="tag", label="Tag", help="A word to remember it by.", default="none"), "a b's", 5),
    (Folder(name="cache", label="Cache", help="A folder for results.", default=None, automatic=Automatic(None, "off")),
     "some where", ""),
    (Size(name="buffer", label="Buffer", help="Memory for results.", default=None, advanced=True,
          automatic=Automatic(None, "enough")), "500M", "much"),
)  # fmt: skip
"""A parameter, a value of it that is not its default, and a value that it refuses."""
TABLE = tuple(parameter for parameter, _, _ in MADE_UP)
EXPECTED = {parameter.name: value for parameter, value, _ in MADE_UP}
