"""Inputs on the command line: `--input key=value`, `--inputs JSON`, `--inputs @file.json`, files of text."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from omium.cli.ending import WrongUse
from omium.errors import InvalidJson


def read_inputs(pairs: Sequence[str], whole: str | None) -> dict[str, Any]:
    """Return the arguments: those of `whole`, with `pairs` over them. `WrongUse` names what is wrong."""
    arguments: dict[str, Any] = {} if whole is None else _read_object(whole)
    for pair in pairs:
        key, value = read_pair(pair, "--input")
        arguments[key] = value
    return arguments


def read_pair(pair: str, flag: str) -> tuple[str, Any]:
    """Return the two halves of `key=value`; the value is JSON where it is that, else text."""
    key, found, text = pair.partition("=")
    if not found or not key:
        raise WrongUse(f"{flag} {pair!r}: write {flag} KEY=VALUE, such as {flag} topic=durability.")
    return key, read_value(text)


def read_value(text: str) -> Any:
    """Return what `text` means: JSON where it is that (also `@file.json`), else the text itself."""
    if text.startswith("@"):
        return _parse(read_file(Path(text[1:])), text)
    try:
        return json.loads(text)
    except ValueError:
        return text


def _read_object(text: str) -> dict[str, Any]:
    found = _parse(read_file(Path(text[1:])) if text.startswith("@") else text, "--inputs")
    if not isinstance(found, dict):
        raise WrongUse('--inputs is a JSON object with the arguments by name, such as {"topic": "x"}.')
    return found


def read_file(file: Path) -> str:
    """Return the text of a file that the command line names; `WrongUse` where it cannot be read."""
    try:
        return file.read_text(encoding="utf-8")
    except OSError as error:
        raise WrongUse(f"Cannot read {file}: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise WrongUse(f"Cannot read {file}: it is not text in UTF-8.") from error


def _parse(text: str, where: str) -> Any:
    from omium.jsonvalue import parse_json

    try:
        return parse_json(text)
    except InvalidJson as error:
        raise WrongUse(f"{where}: {error}") from error
