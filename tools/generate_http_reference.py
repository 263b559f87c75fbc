"""Writes the reference part of docs/http.md from the declared endpoints; a test compares them.

Run it after a change of an endpoint or a model: `python tools/generate_http_reference.py`. With `--check` it
writes nothing and says whether the page is current. What fields mean comes from omium/server/web/meanings.py,
as for OpenAPI.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, RootModel
from pydantic.json_schema import models_json_schema

from omium import errors as e
from omium.models.wire import Command, Page
from omium.server.routes import list_endpoints
from omium.server.web.declared import list_problems
from omium.server.web.endpoint import Endpoint, Idempotency
from omium.server.web.manual.schemas import SchemaWords, cell, default_of
from omium.server.web.meanings import describe, find_meaning

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "http.md"
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
        self.words = SchemaWords(self._name_ref)
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
                cells.append("*required*" if name in schema.get("required", []) else default_of(entry))
            lines.append(f"| {' | '.join([*cells, cell(find_meaning(model, name))])} |")
        return lines

    def name_type(self, schema: Schema) -> str:
        """Return the words for a JSON schema, with links to the types that are named in it."""
        return self.words.name(schema)

    def _name_ref(self, ref: str) -> str:
        model = self.by_ref.get("#/$defs/" + ref.rsplit("/", 1)[1])
        if model is None:
            return self.name_type(self._resolve({"$ref": ref}))
        self.linked[model] = None
        return f"[{model.__name__}](#{_anchor(model.__name__)})"


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
