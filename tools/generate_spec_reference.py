"""Writes omium/spec/workflow-spec-v0.json and the reference part of docs/spec.md from the types.

Run it after a change of a type: `python tools/generate_spec_reference.py`. With `--check` it writes nothing
and says what is not current; a test does the same. The worked examples are tools/spec_examples.json.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from omium.spec.document import NODE_TYPES
from omium.spec.parameters import PARAMETERS
from omium.spec.problems import CODES
from omium.spec.published import FILE_NAME, make_json_schema

ROOT = Path(__file__).resolve().parents[1]
SCHEMA = ROOT / "omium" / "spec" / FILE_NAME
PAGE = ROOT / "docs" / "spec.md"
EXAMPLES: dict[str, Any] = json.loads((Path(__file__).parent / "spec_examples.json").read_text("utf-8"))
MARK = "<!-- From here on: written by tools/generate_spec_reference.py -->"
PARTS = (
    *("Node", "Edge", "Condition", "Agent", "Llm", "Tool", "HttpCall", "Retry", "Concurrency", "Checkpoint"),
    *("Breaker", "Loop", "Body", "Runtime", "Ref", "Message"),
)
WIDTH = 100

Schema = dict[str, Any]


def make_page(page: str, schema: Schema) -> str:
    """Return the page with its reference written anew."""
    above = page.partition(MARK)[0]
    return above + MARK + "\n\n" + "\n".join(_list_lines(schema)).rstrip() + "\n"


def _list_lines(schema: Schema) -> Iterator[str]:
    parts = schema["$defs"]
    yield from ("## The document", "")
    yield from _make_table(schema)
    yield from ("## Node types", "")
    for type_ in NODE_TYPES:
        part = PARAMETERS[type_].__name__
        example = EXAMPLES[type_]
        yield from (f"### {type_}", "", example["text"], "")
        if parts[part].get("properties"):
            yield from ("Parameters:", "")
            yield from _make_table(parts[part])
        yield from ("```json", write_json(example["spec"]), "```", "")
    yield from ("## Parts", "")
    for name in PARTS:
        yield from (f"### {name}", "", parts[name].get("description", ""), "")
        yield from _make_table(parts[name])
    yield from ("## Codes of problems", "", "| code | meaning |", "|---|---|")
    for code, meaning in CODES.items():
        yield f"| `{code}` | {meaning} |"


def _make_table(part: Schema) -> Iterator[str]:
    yield from ("| field | value | meaning |", "|---|---|---|")
    required = part.get("required", [])
    for name, field in part.get("properties", {}).items():
        value = _say_value(field)
        if name in required:
            value += ", required"
        elif field.get("default") not in (None, "", [], {}):
            value += f", default `{json.dumps(field['default'])}`"
        meaning = " ".join(field.get("description", "").split()).replace("|", "\\|")
        yield f"| `{name}` | {value} | {meaning} |"
    yield ""


def _say_value(field: Schema) -> str:
    """Return the kind of value in a few words; for a part, a link to its table."""
    if "$ref" in field:
        name = field["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in field:
        return " or ".join(_say_value(each) for each in field["anyOf"] if each.get("type") != "null")
    if "const" in field:
        return f"`{json.dumps(field['const'])}`"
    if "enum" in field:
        return ", ".join(f"`{json.dumps(each)}`" for each in field["enum"])
    kind = field.get("type")
    if kind == "array":
        return f"list of {_say_value(field['items'])}" if field.get("items") else "list"
    if kind == "object":
        named = field.get("additionalProperties")
        inner = next(iter(field.get("patternProperties", {}).values()), named)
        return f"by name: {_say_value(inner)}" if isinstance(inner, dict) and inner else "object"
    words = {"string": "text", "integer": "whole number", "number": "number", "boolean": "true or false"}
    return words.get(str(kind), "any JSON") + _say_range(field)


def _say_range(field: Schema) -> str:
    least, above, most = (field.get(word) for word in ("minimum", "exclusiveMinimum", "maximum"))
    if most is None:
        return ""
    return f", {f'above {above:,}' if least is None else f'{least:,}'} to {most:,}"


def write_json(value: Any, indent: int = 0) -> str:
    """Return `value` as JSON in which whatever fits stands on one line."""
    line = json.dumps(value, ensure_ascii=False)
    if len(line) + indent <= WIDTH or not isinstance(value, dict | list) or not value:
        return line
    pad = " " * (indent + 2)
    if isinstance(value, dict):
        items = [f"{pad}{json.dumps(name)}: {write_json(item, indent + 2)}" for name, item in value.items()]
        return "{\n" + ",\n".join(items) + "\n" + " " * indent + "}"
    return (
        "[\n" + ",\n".join(pad + write_json(item, indent + 2) for item in value) + "\n" + " " * indent + "]"
    )


def make_files() -> dict[Path, str]:
    """Return what belongs into each file."""
    schema = make_json_schema()
    return {
        SCHEMA: json.dumps(schema, indent=2, sort_keys=True) + "\n",
        PAGE: make_page(PAGE.read_text("utf-8"), schema),
    }


def main() -> int:
    """Write the files, or with `--check` compare them."""
    stale = {
        path: text
        for path, text in make_files().items()
        if not path.exists() or path.read_text("utf-8") != text
    }
    for path, text in stale.items():
        name = path.relative_to(ROOT)
        if "--check" in sys.argv[1:]:
            print(f"{name} is not current: run python tools/generate_spec_reference.py")
        else:
            path.write_text(text, "utf-8")
            print(f"wrote {name}")
    return 1 if stale and "--check" in sys.argv[1:] else 0


if __name__ == "__main__":
    raise SystemExit(main())
