"""Order: Sematic's forms of dicts and sets, the same in every process.

Owns one repair. Sematic writes a dict in the order of its keys' hashes and a set as it happens to stand, and
Python draws the hashes of texts anew in each process. Here a dict keeps its own order, so that it comes back
as it was, and a set is sorted by what its items are written as; equal inputs are then written equally.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import Any, Final

_PAIRS: Final = {"items"}
_UNION: Final = {"value", "value_type_index"}


def put_in_order(form: Any, value: Any) -> Any:
    """Return `form`, which Sematic wrote of `value` in this process, in an order that every process gives."""
    if isinstance(form, dict) and form.keys() == _UNION:
        return {**form, "value": put_in_order(form["value"], value)}
    if isinstance(value, Mapping) and isinstance(form, dict) and form.keys() == _PAIRS:
        return _order_pairs(form["items"], value)
    if isinstance(value, AbstractSet) and isinstance(form, list):
        ordered = [put_in_order(part, each) for part, each in zip(form, value, strict=True)]
        return sorted(ordered, key=lambda part: json.dumps(part, sort_keys=True))
    if isinstance(value, list | tuple) and isinstance(form, list) and len(form) == len(value):
        return [put_in_order(part, each) for part, each in zip(form, value, strict=True)]
    if dataclasses.is_dataclass(value) and isinstance(form, dict) and isinstance(form.get("values"), dict):
        values = {name: put_in_order(part, getattr(value, name)) for name, part in form["values"].items()}
        return {**form, "values": values}
    return form


def _order_pairs(pairs: Any, value: Mapping[Any, Any]) -> dict[str, Any]:
    by_hash = sorted(value, key=hash)  # as Sematic did just now: keys of one hash stay as they stand
    written = dict(zip(by_hash, pairs, strict=True))
    ordered = [
        [put_in_order(written[key][0], key), put_in_order(written[key][1], value[key])] for key in value
    ]
    return {"items": ordered}
