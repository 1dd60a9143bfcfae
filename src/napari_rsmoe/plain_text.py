"""Text from files and file names, made fit to be shown: it must not steer the terminal, nor break the output."""

from __future__ import annotations

import unicodedata

_UNSEEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}
"""Unicode categories that are replaced: control and format characters, halves of surrogate pairs, line separators."""


def plain_text(text: str, keep: str = "") -> str:
    r"""Replace the characters that are not seen by escapes, such as ``\x1b``.

    Parameters
    ----------
    text : str
        Any text.
    keep : str
        Characters that stay, such as a line feed.

    Examples
    --------
    >>> from napari_rsmoe.plain_text import plain_text
    >>> plain_text("a\x1b[2Jb")
    'a\\x1b[2Jb'
    """
    if text.isprintable():
        return text
    return "".join(_escape(c) if unicodedata.category(c) in _UNSEEN and c not in keep else c for c in text)


def _escape(character: str) -> str:
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
