"""Inputs are recorded as far as they can be, and never fail a step."""

from omium.jsonvalue import MAX_VALUE_BYTES, input_record


class Client:
    pass


class Other:
    pass


def test_representable_arguments_are_recorded_in_order_and_fully_comparable():
    record = input_record({"topic": "x", "limits": (1, 2)})
    assert list(record.json) == ["topic", "limits"]
    assert record.json["limits"] == {"$:tuple": [1, 2]}
    assert (record.comparable, record.opaque) == ("full", ())
    assert record.digest == input_record({"limits": (1, 2), "topic": "x"}).digest


def test_equal_digests_mean_equal_arguments():
    records = [
        {},
        {"a": 1},
        {"a": 1.0},
        {"a": True},
        {"a": "1"},
        {"a": None},
        {"b": 1},
        {"a": 1, "b": 2},
        {"a": 2, "b": 1},
        {"ab": 1},
        {"a": [1]},
        {"a": (1,)},
        {"a": {"b": 1}},
        {"a": Client()},
        {"a": Other()},
        {"a": {"$opaque": f"{__name__}.Client"}},
    ]
    assert len({input_record(each).digest for each in records}) == len(records)


def test_names_and_classes_cannot_be_cut_differently():
    first = type("C", (), {})
    second = type(f"Cbclass{__name__}.C", (), {})  # what two parameters would read like without lengths
    assert input_record({"a": first(), "b": first()}).digest != input_record({"a": second()}).digest


def test_key_order_and_object_identity_do_not_change_a_digest():
    assert input_record({"a": {"x": 1, "y": 2}}).digest == input_record({"a": {"y": 2, "x": 1}}).digest
    assert input_record({"a": Client()}).digest == input_record({"a": Client()}).digest


def test_what_has_no_form_is_opaque_and_says_so():
    record = input_record({"self": Client(), "topic": "x", "callback": print})
    assert record.json == {
        "self": {"$opaque": f"{__name__}.Client"},
        "topic": "x",
        "callback": {"$opaque": "builtins.builtin_function_or_method"},
    }
    assert (record.comparable, record.opaque) == ("partial", ("self", "callback"))
    assert input_record({"self": Client()}).comparable == "none"
    assert input_record({}).comparable == "full"


def test_a_part_without_a_form_makes_the_whole_parameter_opaque():
    assert input_record({"a": [1, Client()]}).json == {"a": {"$opaque": "builtins.list"}}


def test_ignored_parameters_are_left_out_altogether():
    first = input_record({"topic": "x", "client": Client(), "seed": 1}, ignore=["client", "seed"])
    assert first == input_record({"topic": "x"})


def test_a_users_own_dict_is_not_taken_for_an_opaque_one():
    record = input_record({"a": {"$opaque": "x"}})
    assert record.json["a"] != {"$opaque": "x"}
    assert record.opaque == ()


def test_values_too_large_to_record_are_still_compared():
    large = "x" * (MAX_VALUE_BYTES - 100)
    first, second = (
        input_record({"a": large, "b": large, "c": 1}),
        input_record({"a": large, "b": large + "y", "c": 1}),
    )
    assert (first.comparable, first.opaque) == ("full", ("b",))
    assert first.json["c"] == 1
    assert first.digest != second.digest
