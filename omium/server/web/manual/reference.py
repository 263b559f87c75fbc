"""The API reference: the OpenAPI document as Markdown, a page for each tag and one of all types.

Written from the document alone, so what stands here is what the server says of itself. How it looks is
markup.py's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from omium.manual.outline import make_anchor
from omium.server.web.manual.markup import ROOT
from omium.server.web.manual.schemas import Schema, SchemaWords, cell, default_of, is_page

TYPES: Final = "types"
_REPEATS: Final = {
    "none": "It reads, so repeat it as you like.",
    "natural": "A repeat has no further effect.",
    "keyed": "Needs an `Idempotency-Key`; with the same one, a repeat has no further effect.",
}
_HEAD: Final = """# API

Everything that the SDK, the command line and the dashboard do goes over this interface. The same as one
document: [/openapi.json](/openapi.json). How to begin, with examples: [HTTP]({root}/http).

A key goes into the header `Authorization: Bearer om_…`. Scopes say what it may do; what needs no key says so.
Bodies and answers are JSON, an error is `application/problem+json` with a `code` that
[Errors]({root}/errors) explains.
"""

Operation = dict[str, Any]


class ApiReference:
    """The reference of one OpenAPI document."""

    def __init__(self, document: dict[str, Any]) -> None:
        self._schemas: dict[str, Schema] = document.get("components", {}).get("schemas", {})
        self._words = SchemaWords(self._name_ref)
        self._by_tag: dict[str, list[tuple[str, str, Operation]]] = {}
        for path, methods in document.get("paths", {}).items():
            for method, operation in methods.items():
                tag = (operation.get("tags") or ["other"])[0]
                self._by_tag.setdefault(tag, []).append((method.upper(), path, operation))

    @property
    def tags(self) -> list[str]:
        """The tags, in the order of the document; each names a page."""
        return list(self._by_tag)

    def write_index(self) -> str:
        """Return the page that lists all endpoints."""
        lines = [_HEAD.format(root=ROOT)]
        for tag, operations in self._by_tag.items():
            lines += [f"## {tag.capitalize()}", "", "| | key's scope | |", "|---|---|---|"]
            for method, path, operation in operations:
                place = f"{ROOT}/api/{tag}#{make_anchor(f'{method} {path}')}"
                lines.append(
                    f"| [`{method} {path}`]({place}) | {_scope(operation)} | {operation.get('summary', '')} |"
                )
            lines.append("")
        return "\n".join(lines)

    def write_tag(self, tag: str) -> str:
        """Return the page of one tag's endpoints. Raises KeyError."""
        operations = self._by_tag[tag]
        parts = [f"# API: {tag}", ""]
        for method, path, operation in operations:
            parts += self._operation(method, path, operation)
        return "\n".join(parts)

    def write_types(self) -> str:
        """Return the page of all types."""
        lines = ["# API: types", "", "Times (`_at_us`) are microseconds since 1970, in UTC.", ""]
        for name, schema in sorted(self._schemas.items()):
            if _has_section(schema):
                lines += [
                    f"### {name}",
                    "",
                    *_paragraphs(schema.get("description", "")),
                    *self._fields(schema),
                    "",
                ]
        return "\n".join(lines)

    def _operation(self, method: str, path: str, operation: Operation) -> Iterator[str]:
        repeats = _REPEATS.get(operation.get("x-omium-idempotency", ""), "")
        yield from (f"## {method} {path}", "", f"{operation.get('summary', '')}. {repeats}", "")
        yield from ("| | |", "|---|---|", f"| scope | {_scope(operation)} |")
        yield from (f"| Python | `{_python(path, operation)}` |", "")
        if parameters := operation.get("parameters"):
            yield from ("| parameter | in | type | |", "|---|---|---|---|")
            for each in parameters:
                needed = "" if each.get("required") else "optional. "
                said = each.get("description") or each.get("schema", {}).get("description") or ""
                type_name = self._words.name(each.get("schema", {}))
                yield f"| `{each['name']}` | {each['in']} | {type_name} | {needed}{cell(said)} |"
            yield ""
        if body := operation.get("requestBody"):
            yield from self._body(body)
        yield from ("```text", *_curl(method, path, operation), "```", "")
        yield from self._answers(operation)

    def _body(self, body: dict[str, Any]) -> Iterator[str]:
        for media_type, content in body.get("content", {}).items():
            schema = self._resolve(content.get("schema", {}))
            if media_type == "*/*":
                yield from ("Body: as it is, of any media type.", "")
                continue
            yield from (f"Body, as `{media_type}`: {self._words.name(content['schema'])}", "")
            yield from _paragraphs(schema.get("description", ""))
            yield from (*self._fields(schema), "")

    def _answers(self, operation: Operation) -> Iterator[str]:
        yield from ("| answer | |", "|---|---|")
        for status, answer in operation.get("responses", {}).items():
            if "application/problem+json" in answer.get("content", {}):
                codes = re.findall(r"`([a-z0-9-]+)`", answer.get("description", ""))
                links = ", ".join(f"[{code}]({ROOT}/errors#{code})" for code in codes)
                yield f"| `{status}` | problem: {links} |"
                continue
            kinds = [
                f"{self._words.name(content.get('schema', {}))}, as `{media_type.partition(';')[0]}`"
                for media_type, content in answer.get("content", {}).items()
            ]
            yield f"| `{status}` | {' or '.join(kinds) or 'nothing'} |"
        yield ""

    def _fields(self, schema: Schema) -> list[str]:
        properties: dict[str, Schema] = schema.get("properties", {})
        if not properties:
            return []
        lines = ["| field | type | default | |", "|---|---|---|---|"]
        required = schema.get("required", [])
        for name, field in properties.items():
            default = "*required*" if name in required else default_of(field)
            said = cell(field.get("description", ""))
            lines.append(f"| `{name}` | {self._words.name(field)} | {default} | {said} |")
        return lines

    def _name_ref(self, ref: str) -> str:
        name = ref.rsplit("/", 1)[1]
        schema = self._schemas.get(name, {})
        if _has_section(schema):
            return f"[{name}]({ROOT}/api/{TYPES}#{make_anchor(name)})"
        return self._words.name(schema)

    def _resolve(self, schema: Schema) -> Schema:
        while "$ref" in schema:
            schema = self._schemas.get(schema["$ref"].rsplit("/", 1)[1], {})
        return schema


def _has_section(schema: Schema) -> bool:
    return "properties" in schema and not is_page(schema)


def _scope(operation: Operation) -> str:
    if scope := operation.get("x-omium-scope"):
        return f"`{scope}`"
    return "*any key*" if operation.get("security") else "*no key*"


def _python(path: str, operation: Operation) -> str:
    arguments = re.findall(r"\{([a-z_]+)\}", path)
    if "application/json" in operation.get("requestBody", {}).get("content", {}):
        arguments.append("command")
    return f"client.{operation.get('operationId', '')}({', '.join(arguments)})"


def _curl(method: str, path: str, operation: Operation) -> list[str]:
    words = ["curl"] if method == "GET" else [f"curl --request {method}"]
    if operation.get("security"):
        words.append('--header "Authorization: Bearer $OMIUM_API_KEY"')
    required = [each["name"] for each in operation.get("parameters", []) if each.get("required")]
    if "Idempotency-Key" in required:
        words.append('--header "Idempotency-Key: $(uuidgen)"')
    if "application/json" in operation.get("requestBody", {}).get("content", {}):
        words.append('--header "Content-Type: application/json" --data @body.json')
    words.append(f'"$OMIUM_BASE_URL{path}"')
    return " \\\n  ".join(words).split("\n")


def _paragraphs(text: str) -> list[str]:
    """Return a description's paragraphs, each on a line of its own."""
    lines: list[str] = []
    for each in text.split("\n\n"):
        if words := re.sub(r"\s+", " ", each).strip():
            lines += [words, ""]
    return lines
