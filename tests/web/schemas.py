"""From JSON Schema, as pydantic writes it, to values that nearly fit: what a fuzzer sends."""

from collections.abc import Mapping, Sequence
from typing import Any

from hypothesis import strategies as st

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=20)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
)
ANY = st.recursive(
    SCALARS | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)


def values(
    schema: Mapping[str, Any],
    definitions: Mapping[str, Any],
    ids: Sequence[str],
    name: str = "",
    depth: int = 0,
) -> st.SearchStrategy[Any]:
    """Return values that fit `schema`; a member that is named like an id is often one of `ids`."""
    if "$ref" in schema:
        return values(definitions[schema["$ref"].rsplit("/", 1)[1]], definitions, ids, name, depth)
    for choice in ("anyOf", "oneOf"):
        if choice in schema:
            kinds = schema[choice]
            if depth > 4 and any(kind.get("type") == "null" for kind in kinds):
                return st.none()
            return st.one_of([values(kind, definitions, ids, name, depth) for kind in kinds])
    if "const" in schema:
        return st.just(schema["const"])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    match schema.get("type"):
        case "string":
            return _strings(schema, ids, name)
        case "integer" | "number":
            if name.endswith("wait_s"):
                return st.just(0)
            return _numbers(schema)
        case "boolean":
            return st.booleans()
        case "null":
            return st.none()
        case "array":
            items = values(schema.get("items", {}), definitions, ids, name, depth + 1)
            least = schema.get("minItems", 0)
            return st.lists(items, min_size=least, max_size=max(least, 2 if depth < 4 else 0))
        case "object":
            return _objects(schema, definitions, ids, depth)
        case _:
            return ANY


def _strings(schema: Mapping[str, Any], ids: Sequence[str], name: str) -> st.SearchStrategy[str]:
    if "pattern" in schema:
        return st.from_regex(schema["pattern"], fullmatch=True).filter(lambda text: "\n" not in text)
    texts = st.text(
        st.characters(exclude_categories=["Cs"], exclude_characters="\x00"),
        min_size=schema.get("minLength", 0),
        max_size=min(schema.get("maxLength", 20), 40) if schema.get("minLength", 0) < 40 else None,
    )
    return st.sampled_from(ids) | texts if ids and (name == "id" or name.endswith("_id")) else texts


def _numbers(schema: Mapping[str, Any]) -> st.SearchStrategy[Any]:
    least = schema.get("minimum", schema.get("exclusiveMinimum", -(2**63)))
    most = schema.get("maximum", schema.get("exclusiveMaximum", 2**63) - 1)
    if schema["type"] == "integer":
        return st.integers(int(least), int(most))
    return st.floats(float(least), float(most), allow_nan=False, allow_infinity=False)


def _objects(
    schema: Mapping[str, Any], definitions: Mapping[str, Any], ids: Sequence[str], depth: int
) -> st.SearchStrategy[dict[str, Any]]:
    properties = schema.get("properties")
    if properties is None:
        more = schema.get("additionalProperties", True)
        inner = values(more, definitions, ids, "", depth + 1) if isinstance(more, dict) else ANY
        return st.dictionaries(TEXT, inner, max_size=2)
    required = {*schema.get("required", []), *(name for name in properties if name.endswith("wait_s"))}
    each = {name: values(entry, definitions, ids, name, depth + 1) for name, entry in properties.items()}
    return st.fixed_dictionaries(
        {name: strategy for name, strategy in each.items() if name in required},
        optional={name: strategy for name, strategy in each.items() if name not in required},
    )


@st.composite
def spoiled(draw: st.DrawFn, fitting: st.SearchStrategy[Any]) -> Any:
    """Draw a fitting value, and now and then break it in one place."""
    value = draw(fitting)
    if not isinstance(value, dict) or not value or draw(st.integers(0, 3)):
        return value
    name = draw(st.sampled_from(sorted(value)))
    broken = dict(value)
    if name.endswith("wait_s"):
        return value  # a test's clock stands still: a long poll would never end
    if draw(st.booleans()):
        del broken[name]
    else:
        broken[name] = draw(ANY)
    return broken
