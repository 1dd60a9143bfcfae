"""Messages of the package in the words of a form, whose fields have labels where Python has names."""

from __future__ import annotations

import re
from collections.abc import Sequence

from .kinds.choices import Flag
from .kinds.parameter import Parameter

PYTHON = re.compile(r"(?:,? for example with|:| \(in Python:) [\w.]+(?:\((?:[^()]|\([^()]*\))*\)|=\w+\))")
"""Advice that is a call or a keyword of Python, at the end of a clause."""
FLAG_OF_COMMAND_LINE = re.compile(r"\s*\((?:on the command line )?--[^)]*\)")


def in_form_words(text: str, parameters: Sequence[Parameter]) -> str:
    """Replace the names of keywords in a message by the labels of their fields.

    Parameters
    ----------
    text : str
        A message for users of Python, such as "saturation='x' must be a number."
    parameters : sequence of Parameter
        The parameters of the form.

    Examples
    --------
    >>> from napari_rsmoe.ui.parameters.denoising import DENOISE
    >>> in_form_words("Use ignore_nan=True (--ignore-nan), or set n_kernels to at least 9.", DENOISE)
    'Use “Leave out NaN”, or set “Kernels per model” to at least 9.'
    >>> in_form_words("Leave NaN out, or replace it first, for example with numpy.nan_to_num(image, nan=0).", DENOISE)
    'Leave NaN out, or replace it first.'
    >>> in_form_words("seed=-1 must not be negative.", DENOISE)
    '“Seed” -1 must not be negative.'
    >>> in_form_words("No noise was found; noise= (--noise) gives it.", DENOISE)
    'No noise was found; “Noise level” gives it.'
    """
    text = FLAG_OF_COMMAND_LINE.sub("", text)
    text = PYTHON.sub("", text)
    for parameter in parameters:
        label = f"“{parameter.label}”"
        if isinstance(parameter, Flag):
            text = re.sub(rf"\b{parameter.name}=True\b", label, text)
        text = re.sub(rf"(?<!\S){re.escape(parameter.flag)}(?![-\w])", label, text)
        text = re.sub(rf"\b{parameter.name}=(?=\S)", f"{label} ", text)
        text = re.sub(rf"\b{parameter.name}=", label, text)  # The keyword alone, without a value.
        if "_" in parameter.name:  # Other names are words of plain English too.
            text = re.sub(rf"\b{parameter.name}\b", label, text)
    return text
