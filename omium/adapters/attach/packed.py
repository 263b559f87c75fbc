"""MessagePack as plain data: what LangGraph's serialiser wrote, read without making any of its objects.

An extension (a class and what it is made from) stays what it is: its code and its bytes. Depth and number of
values are bounded, since the bytes may be anybody's.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final, TypeAlias

DEPTH_MAX: Final = 100
VALUES_MAX: Final = 1_000_000
_NUMBERS: Final = {
    0xCA: ">f",
    0xCB: ">d",
    0xCC: ">B",
    0xCD: ">H",
    0xCE: ">I",
    0xCF: ">Q",
    0xD0: ">b",
    0xD1: ">h",
    0xD2: ">i",
    0xD3: ">q",
}
_LENGTHS: Final = {1: ">B", 2: ">H", 4: ">I"}


class NotPacked(ValueError):
    """The bytes are no MessagePack that is read here."""


@dataclass(frozen=True, slots=True)
class Extension:
    """A value that only its maker can read."""

    code: int
    data: bytes


Packed: TypeAlias = "bool | int | float | str | bytes | Extension | list[Packed] | dict[str, Packed] | None"


def read_packed(data: bytes) -> Packed:
    """Return the one value that `data` holds; members whose name is no text are left out.

    Raises `NotPacked`.
    """
    reader = _Reader(data)
    try:
        value = reader.value(0)
    except UnicodeDecodeError:
        raise NotPacked("a text in it is not UTF-8") from None
    if reader.at != len(data):
        raise NotPacked("something follows the value")
    return value


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.data, self.at, self.count = data, 0, 0

    def take(self, size_bytes: int) -> bytes:
        end = self.at + size_bytes
        if end > len(self.data):
            raise NotPacked("it ends before its end")
        self.at, begin = end, self.at
        return self.data[begin:end]

    def number(self, form: str) -> int | float:
        found: int | float = struct.unpack(form, self.take(struct.calcsize(form)))[0]
        return found

    def length(self, size_bytes: int) -> int:
        return int(self.number(_LENGTHS[size_bytes]))

    def value(self, depth: int) -> Packed:
        self.count += 1
        if depth > DEPTH_MAX or self.count > VALUES_MAX:
            raise NotPacked(f"it holds values deeper than {DEPTH_MAX}, or more than {VALUES_MAX:,}")
        tag = self.take(1)[0]
        if tag < 0x80 or tag >= 0xE0:
            return tag if tag < 0x80 else tag - 0x100
        if tag < 0x90:
            return self.members(tag & 15, depth)
        if tag < 0xA0:
            return self.items(tag & 15, depth)
        if tag < 0xC0:
            return self.take(tag & 31).decode()
        if tag in _NUMBERS:
            return self.number(_NUMBERS[tag])
        match tag:
            case 0xC0:
                return None
            case 0xC2 | 0xC3:
                return tag == 0xC3
            case 0xC4 | 0xC5 | 0xC6:
                return self.take(self.length(1 << (tag - 0xC4)))
            case 0xC7 | 0xC8 | 0xC9:
                return self.extension(self.length(1 << (tag - 0xC7)))
            case 0xD4 | 0xD5 | 0xD6 | 0xD7 | 0xD8:
                return self.extension(1 << (tag - 0xD4))
            case 0xD9 | 0xDA | 0xDB:
                return self.take(self.length(1 << (tag - 0xD9))).decode()
            case 0xDC | 0xDD:
                return self.items(self.length(2 << (tag - 0xDC)), depth)
            case 0xDE | 0xDF:
                return self.members(self.length(2 << (tag - 0xDE)), depth)
            case _:
                raise NotPacked("a byte in it begins no value")

    def extension(self, size_bytes: int) -> Extension:
        code = self.take(1)[0]
        return Extension(code, self.take(size_bytes))

    def items(self, count: int, depth: int) -> Packed:
        return [self.value(depth + 1) for _ in range(count)]

    def members(self, count: int, depth: int) -> Packed:
        found: dict[str, Packed] = {}
        for _ in range(count):
            name, value = self.value(depth + 1), self.value(depth + 1)
            if isinstance(name, str):
                found[name] = value
        return found
