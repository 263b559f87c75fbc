"""Where a refused JSON document is wrong: the JSON pointer and a sentence with the remedy.

Owns the slow, patient walk that parse.py starts after a refusal. It never recurses and looks at a bounded
number of tokens, so that a hostile body costs no more than an ordinary one.
"""

from __future__ import annotations

import json
import math
import re
from json.decoder import scanstring  # type: ignore[attr-defined]  # missing in typeshed

from omium.jsonvalue.limits import MAX_INTEGER, MIN_INTEGER, JsonLimits

MAX_TOKENS = 200_000
MAX_POINTER_CHARACTERS = 500

_SPACE = re.compile(r"[ \t\n\r]*+")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*+)(\.[0-9]++)?([eE][-+]?[0-9]++)?")
_CONSTANT = re.compile(r"true|false|null")
_NOT_A_NUMBER = re.compile(r"-?Infinity|NaN")
_SURROGATE = re.compile("[\ud800-\udfff]")
_MAX_INTEGER_CHARACTERS = 20


class _Fault(Exception):  # found, not failed: it carries the answer out of the walk
    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


def find_fault(data: bytes | str, limits: JsonLimits) -> tuple[str, str]:
    """Return (JSON pointer, sentence) of the first thing in `data` that is not acceptable."""
    text = data if isinstance(data, str) else data.decode("utf-8", "surrogateescape")
    walk = _Walk(text, limits)
    try:
        walk.run()
    except _Fault as fault:
        return walk.pointer(), fault.detail
    return (
        "",
        "Something far inside the document is not acceptable JSON; send smaller parts to find the place.",
    )


class _Walk:
    """One pass over the text. `path` holds, per open container, the key or index of the current member."""

    def __init__(self, text: str, limits: JsonLimits) -> None:
        self.text = text
        self.limits = limits
        self.at = 0
        self.path: list[str | int | None] = []
        self.keys: list[set[str] | None] = []  # the keys seen per open object; None for a list
        self.containers = 0
        self.values = 0

    def pointer(self) -> str:
        parts = (str(part).replace("~", "~0").replace("/", "~1") for part in self.path if part is not None)
        text = "".join(f"/{part}" for part in parts)
        return _SURROGATE.sub("\ufffd", text)[:MAX_POINTER_CHARACTERS]

    def run(self) -> None:
        """Walk until the first fault, the end, or the budget."""
        for _ in range(MAX_TOKENS):
            if self.open_or_scalar():
                continue
            while self.keys and not self.go_on():
                pass
            if not self.keys:
                self.skip_space()
                if self.at < len(self.text):
                    raise _Fault("Something follows the end of the JSON value; send one value only.")
                return

    def open_or_scalar(self) -> bool:
        """Read one value. True if it opened a container whose first member comes next."""
        self.skip_space()
        self.values += 1
        if self.values > self.limits.max_values:
            raise _Fault(f"There are more than {self.limits.max_values} values; send them in smaller parts.")
        mark = self.text[self.at : self.at + 1]
        if mark in {"[", "{"}:
            return self.open(mark)
        if mark == '"':
            self.read_string()
        elif match := _CONSTANT.match(self.text, self.at):
            self.at = match.end()
        elif _NOT_A_NUMBER.match(self.text, self.at):
            raise _Fault("NaN and Infinity are not JSON; send null or a string.")
        elif match := _NUMBER.match(self.text, self.at):
            self.check_number(match)
        else:
            self.fail_syntax("a value")
        return False

    def open(self, mark: str) -> bool:
        self.at += 1
        self.containers += 1
        if self.containers > self.limits.max_containers:
            raise _Fault(f"There are more than {self.limits.max_containers} objects and lists; send fewer.")
        if len(self.keys) >= self.limits.max_depth:
            raise _Fault(f"Values are nested deeper than {self.limits.max_depth} levels; flatten them.")
        self.keys.append(set() if mark == "{" else None)
        self.path.append(0 if mark == "[" else None)
        self.skip_space()
        if self.text[self.at : self.at + 1] == ("]" if mark == "[" else "}"):
            self.at += 1
            self.close()
            return False
        if mark == "{":
            self.read_key()
        return True

    def go_on(self) -> bool:
        """After a member: True if another follows, False if its container ended."""
        self.skip_space()
        mark = self.text[self.at : self.at + 1]
        self.at += 1
        inside_object = self.keys[-1] is not None
        if mark == ",":
            if inside_object:
                self.read_key()
            else:
                index = self.path[-1]
                self.path[-1] = index + 1 if isinstance(index, int) else 0
            return True
        if mark == ("}" if inside_object else "]"):
            self.close()
            return False
        self.at -= 1
        self.fail_syntax('"," or the end of the ' + ("object" if inside_object else "list"))
        return False

    def close(self) -> None:
        self.keys.pop()
        self.path.pop()

    def read_key(self) -> None:
        self.path[-1] = None  # a fault in the key itself belongs to its object
        self.skip_space()
        if self.text[self.at : self.at + 1] != '"':
            self.fail_syntax("a key in double quotes")
        key = self.read_string()
        seen = self.keys[-1]
        if seen is not None:
            if key in seen:
                self.path[-1] = key
                raise _Fault("This key occurs twice in one object; send each key once.")
            seen.add(key)
            if len(seen) > self.limits.max_keys:
                raise _Fault(f"One object has more than {self.limits.max_keys} keys; send a list, or fewer.")
        self.path[-1] = key
        self.skip_space()
        if self.text[self.at : self.at + 1] != ":":
            self.fail_syntax('":" after the key')
        self.at += 1

    def read_string(self) -> str:
        start, strict = self.at, True
        try:
            value, self.at = scanstring(self.text, start + 1, strict)
        except json.JSONDecodeError as error:
            if "Unterminated" in error.msg:
                raise _Fault("A string is not closed; the body may be cut off.") from error
            raise _Fault(f"A string holds {_describe(error.msg)}; escape it as JSON asks.") from error
        if "\x00" in value:
            raise _Fault("A string holds a NUL character, which not every database can keep; remove it.")
        if _SURROGATE.search(value):
            if _SURROGATE.search(self.text, start, self.at):
                raise _Fault("A string is not valid UTF-8; encode the body as UTF-8.")
            raise _Fault(
                "A string holds half of a surrogate pair, which is no character; send both or neither."
            )
        return str(value)

    def check_number(self, match: re.Match[str]) -> None:
        token = match.group()
        self.at = match.end()
        if match.lastindex:  # a fraction or an exponent
            if math.isinf(float(token)):
                raise _Fault("A number is too large for a 64-bit float; send it as a string.")
        elif len(token) > _MAX_INTEGER_CHARACTERS or not MIN_INTEGER <= int(token) <= MAX_INTEGER:
            raise _Fault("An integer does not fit in 64 bits; send it as a string.")

    def skip_space(self) -> None:
        match = _SPACE.match(self.text, self.at)
        self.at = match.end() if match else self.at

    def fail_syntax(self, expected: str) -> None:
        if self.at >= len(self.text):
            raise _Fault(f"The text ends where {expected} should be; the body is empty or cut off.")
        found = self.text[self.at]
        if _SURROGATE.match(found):
            raise _Fault("The body is not valid UTF-8; encode it as UTF-8.")
        raise _Fault(f"Expected {expected} at character {self.at}, found {found!a}.")


def _describe(message: str) -> str:
    return "a raw control character" if "control" in message else "a bad escape"
