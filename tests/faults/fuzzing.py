"""Requests for the fuzzer, made from the OpenAPI document alone: fitting ones, and nearly fitting ones.

Each case is drawn from a seed of its own. About half of the bodies begin as a known good one
(tests/web/walk.py), because what validation refuses never reaches the engine. What may come back is
answers.py.
"""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

Json = Any
NOT_JSON = (
    b"",
    b"{",
    b"nul",
    b'{"a":1,"a":2}',
    b'{"a":NaN}',
    b"\xff\xfe",
    b'"\\ud800"',
    b"[" * 70 + b"]" * 70,
)
TEXTS = (
    "",
    " ",
    "\x00",
    "é\u0301",
    "\u202e\x1b[2J",
    "😀" * 60,
    "x" * 3_000,
    "'; --",
    "../..",
    "-1",
    "9" * 40,
)
ODD_QUERIES = (("limit", "-1"), ("limit", 2**70), ("nobody", "1"), ("after", "\x00"))
NUMBERS = (0, 1, -1, 2**31, 2**53, 2**63 - 1, -(2**63), 2**64, 0.5, -0.0, 1e308)
ODD = (None, True, False, [], {}, [None], {"$omium": "x"}, {"type": "step.completed"}, [["x"] * 300])
WORDS = ("a", "step", "w", "default", "private", "e", "f", "0", "ü")


@dataclass(frozen=True, slots=True)
class Case:
    """One request, and what it was drawn from."""

    operation: str
    method: str
    path: str
    template: str
    query: str
    headers: dict[str, str]
    body: bytes

    def __str__(self) -> str:
        return f"{self.method} {self.path}?{self.query} {self.headers} {self.body[:2_000]!r}"


class Drawer:
    """Draws cases for the operations of `document`; `names` are ids of things that exist."""

    def __init__(
        self,
        document: Json,
        operations: Sequence[tuple[str, str, Json]],
        names: Sequence[str],
        find_good: Callable[[str], tuple[tuple[str, ...], Json, dict[str, str] | None]],
    ) -> None:
        self._schemas = document["components"]["schemas"]
        self._operations = operations
        self._names = names
        self._find_good = find_good

    def draw(self, seed: str) -> Case:
        """Return the case of `seed`."""
        chance = random.Random(seed)
        template, method, operation = chance.choice(self._operations)
        good_path, good_body, good_query = self._find_good(operation["operationId"])
        spoil = chance.random() < 0.5  # in exactly one place: two mistakes hide one another
        place = chance.choice(("path", "query", "body", "body", "body", "headers")) if spoil else ""
        path, asked, headers = template, [], {}
        fixed = iter(good_path)
        for parameter in operation.get("parameters", ()):
            name, schema = parameter["name"], parameter["schema"]
            match parameter["in"]:
                case "path":
                    value = next(fixed, "x")
                    if place == "path" or chance.random() < 0.2:
                        value = chance.choice((*self._names, *TEXTS, *WORDS))
                    path = path.replace(f"{{{name}}}", _percent(value) or "%20")
                case "query":
                    if good_query and name in good_query and chance.random() < 0.7:
                        asked.append((name, good_query[name]))
                    elif parameter["required"] or chance.random() < 0.3:
                        asked.append((name, self._draw(chance, schema, name, 0)))
                case "header":
                    if parameter["required"] or chance.random() < 0.7:
                        headers[name.lower()] = f"k{chance.getrandbits(64)}"
        if place == "query":
            asked = [
                *asked,
                chance.choice(ODD_QUERIES),
            ]
        query = "&".join(f"{name}={_percent(_as_text(value))}" for name, value in asked if value is not None)
        body = b""
        content = operation.get("requestBody", {}).get("content", {})
        if content and "application/json" not in content:  # taken as it comes
            body = chance.choice(NOT_JSON)
        elif content:
            headers["content-type"] = "application/json"
            schema = content["application/json"]["schema"]
            value = copy.deepcopy(good_body) if chance.random() < 0.5 else self._draw(chance, schema, "", 0)
            if place == "body":
                value = self._spoiled(chance, value)
            body = chance.choice(NOT_JSON) if place == "body" and chance.random() < 0.1 else _encode(value)
        if place == "headers" and headers:
            name = chance.choice(sorted(headers))
            headers[name] = chance.choice(("", "x" * 300, "text/plain", "k", "\xff"))
        return Case(operation["operationId"], method.upper(), path, template, query, headers, body)

    def _draw(self, chance: random.Random, schema: Json, name: str, depth: int) -> Json:
        """Return a value that fits `schema`; a member that is named like an id is often one that exists."""
        if name.endswith("wait_s"):
            return 0  # a test's clock stands still: a long poll would never end
        if "$ref" in schema:
            return self._draw(chance, self._schemas[schema["$ref"].rpartition("/")[2]], name, depth)
        for word in ("anyOf", "oneOf"):
            if word in schema:
                kinds = schema[word]
                ended = [kind for kind in kinds if kind.get("type") == "null"] if depth > 4 else []
                return self._draw(chance, chance.choice(ended or kinds), name, depth)
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return chance.choice(schema["enum"])
        match schema.get("type"):
            case "string":
                return self._draw_text(chance, schema, name)
            case "integer" | "number":
                least, most = schema.get("minimum", -(2**63)), schema.get("maximum", 2**63 - 1)
                least += "exclusiveMinimum" in schema and schema["exclusiveMinimum"] + 1
                near = (least, most, *(each for each in (*NUMBERS, 7) if least <= each <= most))
                drawn = chance.choice(near)
                return int(drawn) if schema["type"] == "integer" else drawn
            case "boolean":
                return chance.random() < 0.5
            case "null":
                return None
            case "array":
                least = schema.get("minItems", 0)
                count = max(least, 0 if depth > 4 else chance.choice((0, 1, 1, 2, 3)))
                return [self._draw(chance, schema.get("items", {}), name, depth + 1) for _ in range(count)]
            case "object":
                return self._draw_object(chance, schema, depth)
            case _:
                return copy.deepcopy(chance.choice((*WORDS, *NUMBERS[:7], *ODD[:7], {"a": [1, "b", None]})))

    def _draw_text(self, chance: random.Random, schema: Json, name: str) -> str:
        if "pattern" in schema:  # all of ours are digests, tokens and ids: a good one or a near miss
            return chance.choice(("0" * 64, "t" * 32, chance.choice(self._names), "f" * 63))
        if chance.random() < 0.6 and (
            name == "id" or name.endswith(("_id", "_ids", "_key", "path", "_step"))
        ):
            return chance.choice(self._names)
        longest = schema.get("maxLength", 10_000)
        fitting = [text for text in (*WORDS, *TEXTS) if schema.get("minLength", 0) <= len(text) <= longest]
        drawn = chance.choice(fitting or ["x" * schema.get("minLength", 1)])
        return drawn.replace("\x00", "") if chance.random() < 0.9 else drawn

    def _draw_object(self, chance: random.Random, schema: Json, depth: int) -> Json:
        properties = schema.get("properties")
        if properties is None:
            more = schema.get("additionalProperties", True)
            inner = more if isinstance(more, dict) else {}
            return {
                chance.choice((*WORDS, "input", "output")): self._draw(chance, inner, "", depth + 1)
                for _ in range(chance.choice((0, 1, 2)))
            }
        required = schema.get("required", ())
        often = 0.5 if depth < 3 else 0.1
        return {
            name: self._draw(chance, entry, name, depth + 1)
            for name, entry in properties.items()
            if name in required or name.endswith("wait_s") or chance.random() < often
        }

    def _spoiled(self, chance: random.Random, value: Json) -> Json:
        """Return `value` with another one somewhere in it, or without a member, or with one more."""
        if not isinstance(value, dict | list) or not value:
            return copy.deepcopy(chance.choice((*TEXTS, *NUMBERS, *ODD)))
        inner, names = value, list(value) if isinstance(value, dict) else list(range(len(value)))
        while True:
            name = chance.choice(names)
            deeper = inner[name]
            if not isinstance(deeper, dict | list) or not deeper or chance.random() < 0.3:
                break
            inner = deeper
            names = list(inner) if isinstance(inner, dict) else list(range(len(inner)))
        if isinstance(name, str) and name.endswith("wait_s"):
            return value
        match chance.randrange(8):
            case 0:
                del inner[name]
            case 1 if isinstance(inner, dict):
                inner["unknown"] = 1
            case 2 if isinstance(inner, list):
                inner.append(copy.deepcopy(inner[name]))
            case _:
                inner[name] = copy.deepcopy(chance.choice((*TEXTS, *NUMBERS, *ODD, *self._names)))
        return value


def _percent(text: str) -> str:
    return "".join(f"%{byte:02x}" for byte in text.encode())


def _as_text(value: Json) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _encode(value: Json) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()
