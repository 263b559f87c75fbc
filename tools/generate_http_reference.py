"""Writes the reference part of docs/http.md from the declared endpoints; a test compares them.

Run it after a change of an endpoint or a model: `python tools/generate_http_reference.py`. With `--check` it
writes nothing and says whether the page is current. What a field means stands below it in its model; where a
name says nearly everything, in tools/http_words.toml.
"""

from __future__ import annotations

import ast
import inspect
import json
import re
import sys
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, RootModel
from pydantic.json_schema import models_json_schema

from omium import errors as e
from omium.models.wire import Command, Page
from omium.server.routes import list_endpoints
from omium.server.web.declared import list_problems
from omium.server.web.endpoint import Endpoint, Idempotency

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "http.md"
WORDS: dict[str, str] = tomllib.loads((Path(__file__).parent / "http_words.toml").read_text())["fields"]
MARK = "<!-- From here on: written by tools/generate_http_reference.py -->"
REPEATS = {
    Idempotency.NONE: "It reads, so repeat it as you like.",
    Idempotency.NATURAL: "A repeat has no further effect.",
    Idempotency.KEYED: "Needs an `Idempotency-Key`.",
}
FAMILIES = {
    "Where a key is needed": (
        e.Unauthenticated,
        e.KeyExpired,
        e.KeyRevoked,
        e.SessionEnded,
        e.ScopeMissing,
    ),
    "Where a body is sent": (e.InvalidJson, e.UnsupportedMediaType),
    "Where something is changed": (e.OutcomeUnknown, e.StorageFull),
    "With an `Idempotency-Key`": (e.IdempotencyMismatch,),
    "Streams and long polls": (e.TooManyStreams,),
}
INNER = re.compile(r"\s*\((?:semantics |execution\.md|2\.)[^)]*\)")
DOCS: dict[type[BaseModel], dict[str, str]] = {}

Model = type[BaseModel]
Schema = dict[str, Any]


class Reference:
    """All endpoints and the types that they take and give, ready to be written down."""

    def __init__(self, endpoints: Sequence[Endpoint]) -> None:
        self.endpoints = endpoints
        self.models = list_models(endpoints)
        refs, definitions = models_json_schema([(model, "validation") for model in self.models])
        self.definitions: dict[str, Schema] = definitions.get("$defs", {})
        self.schemas = {model: self._resolve(refs[model, "validation"]) for model in self.models}
        named: dict[str, Model] = {
            ref["$ref"]: model for model in self.models if "$ref" in (ref := refs[model, "validation"])
        }
        self.by_ref = {
            ref: model
            for ref, model in named.items()
            if not issubclass(model, RootModel) and not _is_page(model)
        }
        self.linked: dict[Model, None] = {}
        self.common = set.intersection(*({*list_problems(endpoint)} for endpoint in endpoints))

    def _resolve(self, schema: Schema) -> Schema:
        while "$ref" in schema:
            schema = self.definitions[schema["$ref"].rsplit("/", 1)[1]]
        return schema

    def write(self) -> str:
        """Return the whole reference."""
        tags = list(dict.fromkeys(tag for endpoint in self.endpoints for tag in endpoint.tags))
        parts = ["## All endpoints", ""]
        parts += ["| | key's scope | |", "|---|---|---|"]
        for tag in tags:
            parts += [
                f"| [`{_title(each)}`](#{_anchor(_title(each))}) | {_scope(each)} | {each.summary} |"
                for each in self._tagged(tag)
            ]
        parts += ["", "Problems that are not named again below:", "", "| | |", "|---|---|"]
        parts.append(f"| Everywhere | {_link_problems(self.common)} |")
        parts += [f"| {where} | {_link_problems(problems)} |" for where, problems in FAMILIES.items()]
        parts.append("")
        for tag in tags:
            parts += [f"## Endpoints: {tag}", ""]
            parts += [self.endpoint(each) for each in self._tagged(tag)]
        parts += ["## Types", "", "Times (`_at_us`) are microseconds since 1970, in UTC.", ""]
        return "\n".join([*parts, *self.types()]).rstrip() + "\n"

    def types(self) -> list[str]:
        """Return the sections of all types that anything links to, which may name further ones."""
        written: dict[str, str] = {}
        while missing := [model for model in self.linked if model.__name__ not in written]:
            written |= {model.__name__: self.type(model) for model in missing}
        return [written[name] for name in sorted(written)]

    def _tagged(self, tag: str) -> list[Endpoint]:
        return [endpoint for endpoint in self.endpoints if endpoint.tags[:1] == (tag,)]

    def endpoint(self, endpoint: Endpoint) -> str:
        """Return the section of one endpoint."""
        lines = [f"### {_title(endpoint)}", "", f"{endpoint.summary}. {REPEATS[endpoint.idempotent]}", ""]
        lines += ["| | |", "|---|---|", f"| scope | {_scope(endpoint)} |"]
        lines.append(f"| reply | {self._reply(endpoint)} |")
        general = {problem for family in FAMILIES.values() for problem in family} - {*endpoint.problems}
        if own := {*list_problems(endpoint)} - self.common - general:
            lines.append(f"| problems | {_link_problems(own)} |")
        lines.append("")
        if endpoint.query is not None:
            lines += ["Query:", "", *self.fields(endpoint.query), ""]
        if endpoint.body is not None:
            lines += [f"Body: {describe(endpoint.body)}".rstrip(), "", *self.fields(endpoint.body), ""]
        return "\n".join(lines)

    def _reply(self, endpoint: Endpoint) -> str:
        if endpoint.reply is None:
            shown = "nothing" if endpoint.status == 204 else f"`{endpoint.media_type.partition(';')[0]}`"
        else:
            shown = self.name_type(self._reply_schema(endpoint.reply))
        stream = ", as `text/event-stream`" if endpoint.stream and endpoint.reply else ""
        return f"`{endpoint.status}`: {shown}{stream}"

    def _reply_schema(self, model: Model) -> Schema:
        return next(
            ({"$ref": ref} for ref, each in self.by_ref.items() if each is model), self.schemas[model]
        )

    def type(self, model: Model) -> str:
        """Return the section of one type."""
        words = describe(model)
        return "\n".join(
            [f"### {model.__name__}", "", *([words, ""] if words else []), *self.fields(model), ""]
        )

    def fields(self, model: Model) -> list[str]:
        """Return the table of a model's fields; what is sent also says what must be, and what else holds."""
        schema = self.schemas[model]
        sent = issubclass(model, Command)
        lines = (
            ["| field | type | default | |", "|---|---|---|---|"]
            if sent
            else ["| field | type | |", "|---|---|---|"]
        )
        for name, entry in schema.get("properties", {}).items():
            cells = [f"`{name}`", self.name_type(entry)]
            if sent:
                cells.append("*required*" if name in schema.get("required", []) else _default(entry))
            lines.append(f"| {' | '.join([*cells, _cell(find_meaning(model, name))])} |")
        return lines

    def name_type(self, schema: Schema) -> str:
        """Return the words for a JSON schema, with links to the types that are named in it."""
        if "$ref" in schema:
            model = self.by_ref.get("#/$defs/" + schema["$ref"].rsplit("/", 1)[1])
            if model is None:
                return self.name_type(self._resolve(schema))
            self.linked[model] = None
            return f"[{model.__name__}](#{_anchor(model.__name__)})"
        for choice in ("anyOf", "oneOf"):
            if choice in schema:
                return " or ".join(dict.fromkeys(self.name_type(each) for each in schema[choice]))
        if "const" in schema:
            return f"`{schema['const']}`"
        if "enum" in schema:
            return ", ".join(f"`{value}`" for value in schema["enum"])
        if "allOf" in schema:
            return self.name_type(schema["allOf"][0])
        match schema.get("type"):
            case "array":
                return f"array{_bounds(schema, 'Items')} of {self.name_type(schema.get('items', {}))}"
            case "object" if {"items", "next"} <= schema.get("properties", {}).keys():
                return f"page of {self.name_type(schema['properties']['items']['items'])}"
            case "object":
                more = schema.get("additionalProperties")
                return f"object of {self.name_type(more)}" if isinstance(more, dict) and more else "object"
            case "string":
                return f"string{_bounds(schema, 'Length')}"
            case "integer" | "number" as kind:
                return f"{kind}{_number_bounds(schema)}"
            case None:
                return "any JSON"
            case kind:
                return str(kind)


def list_models(endpoints: Sequence[Endpoint]) -> list[Model]:
    """Return every model that an endpoint names, and every one inside of those."""
    found: dict[Model, None] = {}

    def walk(annotation: Any) -> None:
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            model: Model = annotation
            if model in found:
                return
            found[model] = None
            for field in model.model_fields.values():
                walk(field.annotation)
        for part in get_args(annotation):
            walk(part)

    for endpoint in endpoints:
        for model in (endpoint.body, endpoint.query, endpoint.reply):
            walk(model)
    return list(found)


def find_meaning(model: Model, name: str) -> str:
    """Return what stands below the field, or else in the list of words; empty if nowhere."""
    documented = (attribute_docs(base).get(name) for base in model.__mro__ if issubclass(base, BaseModel))
    text = next(filter(None, documented), "") or WORDS.get(f"{model.__name__}.{name}", WORDS.get(name, ""))
    return f"{text[0].upper()}{text[1:].removesuffix('.')}." if text else ""


def attribute_docs(model: Model) -> dict[str, str]:
    """Return the strings that stand below the fields in a model's source."""
    if model not in DOCS:
        DOCS[model] = {} if model.__module__.startswith("pydantic") else dict(_read_docs(model))
    return DOCS[model]


def _read_docs(model: Model) -> Iterator[tuple[str, str]]:
    origin = model.__pydantic_generic_metadata__["origin"] or model
    tree = ast.parse(inspect.getsource(origin)).body[0]
    assert isinstance(tree, ast.ClassDef)
    for field, below in zip(tree.body, tree.body[1:], strict=False):
        match field, below:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                yield name, INNER.sub("", re.sub(r"\s+", " ", text))
            case _:
                pass


def describe(model: Model) -> str:
    """Return the model's own words, on one line for each paragraph."""
    text = model.__dict__.get("__doc__") or ""
    return "\n\n".join(
        INNER.sub("", re.sub(r"\s+", " ", each)) for each in inspect.cleandoc(text).split("\n\n")
    )


def _is_page(model: Model) -> bool:
    return model.__pydantic_generic_metadata__["origin"] is Page


def _title(endpoint: Endpoint) -> str:
    return f"{endpoint.method} {endpoint.path}"


def _anchor(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def _link_problems(problems: Iterable[type[e.Problem]]) -> str:
    codes = sorted(problem.code for problem in problems)
    return ", ".join(f"[{code}](errors.md#{code})" for code in codes)


def _scope(endpoint: Endpoint) -> str:
    if endpoint.scope is not None:
        return f"`{endpoint.scope.value}`"
    return "*any key*" if endpoint.any_key else "*no key*"


def _default(entry: Schema) -> str:
    """Return a field's default; what is made anew for each object is empty."""
    value = entry.get("default", [] if entry.get("type") == "array" else None)
    return "" if value in (None, "") or isinstance(value, dict) else f"`{json.dumps(value).strip(chr(34))}`"


def _bounds(schema: Schema, what: str) -> str:
    least, most = schema.get(f"min{what}", 0), schema.get(f"max{what}")
    unit = "characters" if what == "Length" else "entries"
    if pattern := schema.get("pattern"):
        return f" like `{_cell(pattern)}`"
    if most is not None:
        return f", {least} to {most:,} {unit}" if what == "Length" else f", {least} to {most:,},"
    return f", at least {least} {unit}" if least else ""


def _number_bounds(schema: Schema) -> str:
    least, most = schema.get("minimum"), schema.get("maximum")
    above, below = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
    low = f"from {least:,}" if least is not None else f"above {above:,}" if above is not None else ""
    high = f"to {most:,}" if most is not None else f"below {below:,}" if below is not None else ""
    if below is not None and below > 10**15:
        high = ""
    return f", {' '.join(filter(None, [low, high]))}" if low or high else ""


def _cell(text: str) -> str:
    return re.sub(r"\s+", " ", text).replace("|", "\\|")


def make_page(text: str) -> str:
    """Return the page with the reference as it should be."""
    head, found, _ = text.partition(MARK)
    if not found:
        raise SystemExit(f"{PAGE} has lost its line {MARK}")
    return f"{head}{MARK}\n\n{Reference(list_endpoints()).write()}"


if __name__ == "__main__":
    current = PAGE.read_text("utf-8")
    wanted = make_page(current)
    if "--check" in sys.argv:
        sys.exit(
            0 if current == wanted else f"{PAGE} is not current: python tools/generate_http_reference.py"
        )
    PAGE.write_text(wanted, "utf-8")
