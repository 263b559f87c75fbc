"""Values in Sematic's forms: the same in every process, and never code."""

# ruff: noqa: UP006, UP007, UP035, UP045  # Sematic 0.41 knows only the types of `typing`

import os
import pickle
import subprocess
import sys
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Dict, List, Optional, Tuple, Union

import pytest
import sematic

import omium
from omium.adapters.sematic import values
from omium.adapters.sematic.modules import to_local, to_recorded
from omium.adapters.sematic.policies import find_bound, read_retry
from omium.adapters.sematic.schemas import make_inputs_schema, make_type_schema
from omium.errors import Undecodable, Unserialisable


class Colour(Enum):
    RED = 1


@dataclass
class Point:
    x: float
    names: List[str]


@dataclass
class Wider(Point):
    more: int = 3


@pytest.mark.parametrize(
    ("value", "type_"),
    [
        (3, int),
        (2.5, float),
        ("otters", str),
        (None, Optional[int]),
        ([1, 2], List[int]),
        ((1, "a"), Tuple[int, str]),
        ({"b": 1, "a": 2}, Dict[str, int]),
        (Colour.RED, Colour),
        (Point(1.5, ["a"]), Point),
        (Wider(1.5, ["a"], 4), Point),
        ([Point(0.0, [])], List[Point]),
        ("a", Union[int, str]),
    ],
)
def test_a_value_comes_back_equal_and_of_its_class(value, type_):
    form = values.encode_output("f", value, type_)
    found = values.decode_output("f", form, type_)

    assert found == value
    assert type(found) is type(value)


def test_dicts_and_sets_are_written_alike_in_every_process():
    source = (
        "from typing import *; from omium.adapters.sematic import values; "
        "d = {'b': {'z': 1}, 'a': {'y': 2, 'x': 3}, 'c': {}}; s = {'one', 'two', 'three', 'four'}; "
        "t = List[Optional[Dict[str, Dict[str, int]]]]; "
        "form = values.encode_output('f', [d, None], t); "
        "print(form, values.encode_output('f', s, Set[str])); "
        "print([*values.decode_output('f', form, t)[0]])"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", source],
            env={**os.environ, "PYTHONHASHSEED": str(seed)},
            cwd=Path(omium.__file__).parents[1],
            capture_output=True,
            check=True,
            text=True,
        ).stdout
        for seed in range(1, 4)
    }

    (output,) = outputs
    assert output.endswith("['b', 'a', 'c']\n")


def test_a_pickle_is_never_read():
    class Trap:
        def __reduce__(self):
            return print, ("trapped",)

    packed = {"pickle": pickle.dumps(Trap()).hex()}

    for form, type_ in ((packed, object), ([packed], List[object])):
        with pytest.raises(Undecodable, match="holds a pickle"):
            values.decode_output("f", form, type_)


def test_data_that_only_looks_like_a_pickle_is_not_recorded_either():
    with pytest.raises(Unserialisable):
        values.encode_output("f", {"pickle": "gASV"}, object)


def test_no_module_is_imported_because_a_record_names_it():
    form = values.encode_output("f", Point(1.0, []), Point)
    form["root_type"]["type"][2]["import_path"] = "antigravity"

    with pytest.raises(Undecodable, match="antigravity, which is not loaded"):
        values.decode_output("f", form, Point)
    assert "antigravity" not in sys.modules


def test_a_script_has_one_name_in_every_process(monkeypatch, tmp_path):
    monkeypatch.setattr(sys.modules["__main__"], "__file__", str(tmp_path / "report.py"), raising=False)

    assert to_recorded([{"import_path": "__main__"}]) == [{"import_path": "report"}]
    assert to_local({"import_path": "report"}) == {"import_path": "__main__"}
    assert to_recorded({"import_path": "omium_target_report"}) == {"import_path": "report"}


def test_a_record_of_another_shape_says_whose_it_is():
    with pytest.raises(Undecodable, match="The function f: the record cannot be read"):
        values.decode_output("The function f", {"value": 1}, Optional[int])


@sematic.func(retry=sematic.RetrySettings(exceptions=(), retries=3))
def never_again(
    number: int,
    point: Point,
    names: Dict[str, int],
    pair: Tuple[int, str],
    colour: Colour = Colour.RED,
) -> int:
    return number


def test_settings_that_name_no_exception_try_nothing_again():
    future = never_again(1, Point(0.0, []), {}, (1, "a"))

    assert read_retry(future).max_attempts == 1
    assert find_bound(future, None).timeout_s is None
    assert find_bound(future, 4.0).timeout_s == 4.0


def test_types_are_said_as_json_schema():
    schema = make_inputs_schema(never_again)

    assert schema["required"] == ["number", "point", "names", "pair"]
    assert schema["properties"]["colour"] == {"enum": ["RED"]}
    assert schema["properties"]["point"]["required"] == ["x", "names"]
    assert schema["properties"]["names"] == {"type": "object", "additionalProperties": {"type": "integer"}}
    assert schema["properties"]["pair"]["prefixItems"] == [{"type": "integer"}, {"type": "string"}]
    assert make_type_schema(object) == {} == make_type_schema(Optional[object])
