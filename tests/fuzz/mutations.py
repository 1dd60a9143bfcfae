"""Damage to files: strategies of hypothesis that draw it, and functions that do it."""

from __future__ import annotations

import io
import json
import re
import struct
import zlib
from collections.abc import Callable
from typing import Any

import tifffile
from hypothesis import strategies as st

from .seeds import Files, with_description

NUMBERS = (0, 1, 2, 3, 255, 256, 2**15, 2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1, 2**40, 2**63 - 1, 2**64 - 1)
TEXTS = (
    "0", "-1", "2000000000", "1e400", "nan", "", "0,325", "9" * 40, "../../etc/passwd", "\x1b[2J", "&#xD800;", "µm",
)  # fmt: skip
VALUES: tuple[Any, ...] = (
    None, True, 0, -1, 5, 10**12, 10**400, 1e308, float("nan"), "", "a", "\x1b[2J", "\ud800", "m**9**9", [], [1], {},
    [[[[[]]]]], {"a": 1}, {"non-finite": "nan"}, {"non-finite": "x"}, [None, None], ["1", "2"], "<u2", "|O",
)  # fmt: skip

DESTROYED = (
    tifffile.TiffFileError, ValueError, KeyError, IndexError, TypeError, struct.error, ArithmeticError, RecursionError,
)  # fmt: skip
"""Errors that tell that an earlier step has destroyed the structure of a file."""

Step = tuple[str, float, int]
"""What is done, where (0 to 1), and with which number."""
steps = st.tuples(
    st.sampled_from(["flip", "byte", "number", "delete", "insert", "cut", "repeat", "digits", "inside", "inside"]),
    st.floats(0, 1, exclude_max=True),
    st.integers(0, 2**20),
)
recipes = st.lists(steps, min_size=1, max_size=2)


def damaged(files: Files, recipe: list[Step]) -> Files:
    """The files after each step has been done to one of them."""
    changed = dict(files)
    for kind, where, number in recipe:
        name = sorted(changed)[number % len(changed)]
        content = changed[name]
        if not content:
            continue
        inside = _inside(name) if kind == "inside" else None
        try:
            changed[name] = inside(content, where, number) if inside else _bytes(kind, content, where, number)
        except (
            tifffile.TiffFileError,
            ValueError,
            KeyError,
            IndexError,
            TypeError,
            struct.error,
            ArithmeticError,
            RecursionError,
        ):
            continue
    return changed


def _bytes(kind: str, content: bytes, where: float, number: int) -> bytes:
    at = int(where * len(content))
    head, tail = content[:at], content[at:]
    if kind == "flip":
        return head + bytes([tail[0] ^ 1 << number % 8]) + tail[1:]
    if kind == "byte":
        return head + bytes([number % 256]) + tail[1:]
    if kind == "number":
        code = "<>"[number % 2] + "BHIQ"[number // 2 % 4]
        size = struct.calcsize(code)
        value = NUMBERS[number // 8 % len(NUMBERS)] % 2 ** (8 * size)
        return head + struct.pack(code, value) + tail[size:]
    if kind == "delete":
        return head + tail[1 + number % 16 :]
    if kind == "insert":
        return head + bytes([number % 256]) * (1 + number // 256 % 16) + tail
    if kind == "repeat":
        return head + tail[: 1 + number % 64] + tail
    if kind == "cut":
        return head
    places = list(re.finditer(rb"[0-9.]+", content))
    if not places:
        return content
    found = places[int(where * len(places))]
    return content[: found.start()] + TEXTS[number % len(TEXTS)].encode() + content[found.end() :]


def _inside(name: str) -> Callable[[bytes, float, int], bytes] | None:
    """The function that changes an entry of the structure of a file and leaves the rest sound."""
    if name.endswith((".json", ".zarray", ".zgroup", ".zattrs")):
        return lambda content, where, number: json.dumps(_value_in(json.loads(content), where, number)).encode()
    return {"rsmoe": _rsmoe, "npy": _npy, "tif": _description, "png": _chunk}.get(name.rpartition(".")[2])


def _value_in(tree: Any, where: float, number: int) -> Any:
    """A JSON value of which one entry is another, or gone."""
    places: list[tuple[Any, Any]] = []

    def walk(node: Any) -> None:
        for key in node if isinstance(node, dict) else range(len(node)):
            places.append((node, key))
            if isinstance(node[key], dict | list):
                walk(node[key])

    walk(tree)
    parent, key = places[int(where * len(places))]
    if number % 7 == 0:
        del parent[key]
    else:
        parent[key] = VALUES[number % len(VALUES)]
    return tree


def _rsmoe(content: bytes, where: float, number: int) -> bytes:
    (length,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + length])
    if number % 3:  # Mostly the description, seldom the declaration of the tensors.
        description = json.loads(header["__metadata__"]["model"])
        header["__metadata__"]["model"] = json.dumps(_value_in(description, where, number))
    else:
        header = _value_in(header, where, number)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + content[8 + length :]


def _npy(content: bytes, where: float, number: int) -> bytes:
    end = content.index(b"\n") + 1
    shapes = (
        "(3,)",
        "(-3, 4)",
        "(10**9, 10**9)",
        "(99999999999, 9)",
        "()",
        "(0, 4)",
        "[3, 4]",
        "(3, 4",
        "None",
        "(2,)*99",
    )
    types = ("'|O'", "'<c16'", "'|b1'", "'<U4'", "'|V3'", "[('a', '<u2')]", "'<f2'", "'>u8'", "7", "'<M8[s]'")
    text = content[10:end].decode("latin-1")
    if number % 2:
        text = re.sub(r"\([0-9, ]*\)", lambda _: shapes[number // 2 % len(shapes)], text)
    else:
        text = re.sub(r"'[<>|][a-z][0-9]'", lambda _: types[number // 2 % len(types)], text)
    text = text.strip().ljust(117)[:65000] + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode("latin-1") + content[end:]


def _chunk(content: bytes, where: float, number: int) -> bytes:
    """A PNG file of which one byte of one chunk is another, with the checksum that belongs to it."""
    starts, at = [], 8
    while at < len(content):
        starts.append(at)
        at += 12 + struct.unpack(">I", content[at : at + 4])[0]
    begin = starts[number % len(starts)]
    end = begin + 8 + struct.unpack(">I", content[begin : begin + 4])[0]
    chunk = bytearray(content[begin + 4 : end])
    place = 4 + int(where * (len(chunk) - 4))
    chunk[place] = number // 16 % 256
    return content[: begin + 4] + bytes(chunk) + struct.pack(">I", zlib.crc32(chunk)) + content[end + 4 :]


def _description(content: bytes, where: float, number: int) -> bytes:
    with tifffile.TiffFile(io.BytesIO(content)) as tif:
        text = tif.pages[0].description
    places = list(re.finditer(r"[0-9.]+|[\w.]*\.tif", text))
    found = places[int(where * len(places))]
    return with_description(text[: found.start()] + TEXTS[number % len(TEXTS)] + text[found.end() :])
