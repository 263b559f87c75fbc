"""What people return comes back equal and of the same type, or is refused by name and place."""

import contextlib
import dataclasses
import datetime as dt
import enum
import json
import math
import pathlib
import sys
import uuid
from collections import Counter, OrderedDict, defaultdict, deque, namedtuple
from decimal import Decimal
from types import ModuleType
from typing import NamedTuple
from zoneinfo import ZoneInfo

import pydantic
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omium.errors import Undecodable, Unserialisable
from omium.jsonvalue import TypeRegistry, decode, encode, encode_bytes, json_bytes, parse_json, plain


class Colour(enum.Enum):
    RED = "r"
    BLUE = object()  # no JSON form of its own: a member is recorded by name
    CRIMSON = RED


class Level(enum.IntEnum):
    LOW = 1


class Name(enum.StrEnum):
    ANNA = "anna"


class Rights(enum.Flag):
    READ = 1
    WRITE = 2


class Point(NamedTuple):
    x: object
    y: object = 0


Pair = namedtuple("Pair", "left right")  # noqa: PYI024  # users have these


@dataclasses.dataclass(frozen=True, slots=True)
class Fact:
    text: str
    source: object = None
    score: float = dataclasses.field(default=0.0, compare=False)


@dataclasses.dataclass
class Session:
    user: str
    started: bool = dataclasses.field(init=False)

    def __post_init__(self):
        self.started = True
        self.extra = [self.user]
        CALLS.append(self.user)


class Person(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="allow")
    name: str
    born: dt.datetime | None = None
    friends: list["Person"] = []
    _seen: int = pydantic.PrivateAttr(default=0)

    @pydantic.field_validator("name")
    @classmethod
    def shout(cls, value):
        CALLS.append(value)
        return value + "!"  # not idempotent: validating again would change the value

    class Address(pydantic.BaseModel):
        street: str


class Numbers(pydantic.RootModel[list[int]]):
    pass


class Link(pydantic.BaseModel):
    url: pydantic.HttpUrl


CALLS = []


def same(left, right):
    """Equal, of one type and in one order, at every level; NaN is NaN."""
    if type(left) is not type(right):
        return False
    if isinstance(left, float):
        return repr(left) == repr(right)
    if isinstance(left, Decimal):
        return str(left) == str(right)
    if isinstance(left, complex):
        return repr(left) == repr(right)
    if isinstance(left, dict):
        extra = not isinstance(left, defaultdict) or left.default_factory is right.default_factory
        return extra and same(list(left.items()), list(right.items()))
    if isinstance(left, deque):
        return left.maxlen == right.maxlen and same(list(left), list(right))
    if isinstance(left, (list, tuple)):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, (set, frozenset)):
        return len(left) == len(right) and same(sorted(left, key=_key), sorted(right, key=_key))
    if isinstance(left, (dt.datetime, dt.time)):
        zones = (
            same(left.tzinfo, right.tzinfo)
            if isinstance(left.tzinfo, dt.timezone)
            else left.tzinfo == right.tzinfo
        )
        return repr(left) == repr(right) and zones
    if isinstance(left, pydantic.BaseModel):
        parts = ("__dict__", "__pydantic_extra__", "__pydantic_private__", "__pydantic_fields_set__")
        return all(same(getattr(left, part), getattr(right, part)) for part in parts)
    if dataclasses.is_dataclass(left):
        return all(same(getattr(left, f.name), getattr(right, f.name)) for f in dataclasses.fields(left))
    return left == right


def _key(value):
    return json_bytes(encode(value))


def round_trip(value, types=None):
    recorded = json_bytes(encode(value, types=types))
    return decode(parse_json(recorded), types=types)


odd_text = st.text(st.characters(), max_size=8) | st.sampled_from(
    ["$:int", "$:dict", "$opaque", "$ref", "\udcff", "a\x00"]
)
zones = st.one_of(
    st.none(),
    st.just(dt.UTC),
    st.timedeltas(dt.timedelta(hours=-23), dt.timedelta(hours=23)).map(dt.timezone),
    st.just(dt.timezone(dt.timedelta(hours=2), "CEST")),
    st.sampled_from(["Europe/Berlin", "America/New_York", "UTC"]).map(ZoneInfo),
)
keys = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers().map(lambda number: number << 5000),
    st.floats(),
    odd_text,
    st.binary(max_size=8),
    st.complex_numbers(),
    st.decimals(allow_nan=False),
    st.uuids(),
    st.dates(),
    st.datetimes(timezones=zones, allow_imaginary=False),
    st.times(timezones=zones),
    st.timedeltas(),
    st.sampled_from(
        [Colour.RED, Colour.BLUE, Level.LOW, Name.ANNA, Rights.READ, Rights.READ | Rights.WRITE, Rights(0)]
    ),
    st.sampled_from([pathlib.Path("/tmp/é"), pathlib.PurePosixPath("a/b"), pathlib.PureWindowsPath("c:\\x")]),
    st.builds(range, st.integers(), st.integers(), st.integers(1, 9)),
)
scalars = keys | st.decimals()  # a signalling NaN cannot be hashed
hashable = st.recursive(
    keys,
    lambda inner: st.tuples(inner, inner) | st.frozensets(inner, max_size=3) | st.builds(Point, inner, inner),
    max_leaves=4,
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.lists(inner, max_size=4).map(tuple),
        st.dictionaries(odd_text, inner, max_size=4),
        st.dictionaries(hashable, inner, max_size=3),
        st.dictionaries(hashable, inner, max_size=3).map(OrderedDict),
        st.dictionaries(hashable, inner, max_size=3).map(lambda d: defaultdict(list, d)),
        st.dictionaries(odd_text, st.integers(), max_size=3).map(Counter),
        st.lists(inner, max_size=3).map(lambda items: deque(items, 3)),
        st.sets(hashable, max_size=3),
        st.frozensets(hashable, max_size=3),
        st.binary(max_size=4).map(bytearray),
        st.builds(Point, inner, inner),
        st.builds(Pair, inner, inner),
        st.builds(Fact, odd_text, inner, st.floats()),
        st.builds(Person, name=odd_text, friends=st.just([]), mood=inner)
        | st.builds(Numbers, st.lists(st.integers())),
    ),
    max_leaves=12,
)


@settings(max_examples=600, deadline=None)
@given(values)
def test_every_value_comes_back_equal_and_of_the_same_type(value):
    assert same(round_trip(value), value)


@settings(max_examples=200, deadline=None)
@given(values)
def test_what_was_encoded_is_itself_data_that_can_be_recorded(value):
    form = encode(value)
    assert same(round_trip(form), form)  # so a recorded value may be looked at, and recorded again, as data


@settings(max_examples=200, deadline=None)
@given(values)
def test_plain_takes_every_tag_off_and_stays_json(value):
    shown = plain(encode(value))
    parse_json(json_bytes(shown)) if _has_no_odd_text(shown) else None
    assert _no_tags(shown) or "$:" in repr(value)


def _has_no_odd_text(shown):
    text = repr(shown)
    return "\\x00" not in text and "\\ud" not in text


def _no_tags(shown):
    if isinstance(shown, dict):
        return not any(key.startswith("$:") for key in shown) and all(map(_no_tags, shown.values()))
    return all(map(_no_tags, shown)) if isinstance(shown, list) else True


@pytest.mark.parametrize(
    "value",
    [
        {"$:int": "5"},
        {"$:unknown": 1},
        {"$opaque": "module.Class"},
        [{"$:dict": [["a", 1]]}],
        {"$:int": 1, "b": 2},
        {1: "one", "1": "text", 1.5: None, (1, 2): [], None: 0},
        {number: number for number in range(10_001)} | {"x": 1},
        {str(number): number for number in range(10_001)},
        dt.datetime(2026, 10, 25, 2, 30, tzinfo=ZoneInfo("Europe/Berlin"), fold=1),
        dt.datetime(2026, 1, 1, fold=1),  # noqa: DTZ001  # naive ones are recorded too
        dt.datetime.max.replace(tzinfo=dt.timezone(dt.timedelta(seconds=-1))),
        dt.time(0, tzinfo=dt.timezone(dt.timedelta(microseconds=1))),
        math.nan,
        -math.inf,
        -0.0,
        True,
        1,
        1.0,
        10**30_000,
        Decimal("1.20"),
        Decimal("-0E-10"),
        Decimal("sNaN"),
        "\udc80 from os.fsdecode",
        "nul \x00",
        {"\udc80": 1},
        pathlib.Path("/tmp/\udcff"),
        Person(name="a", born="2026-01-01T00:00:00+02:00"),  # pydantic's own tzinfo
        Person.Address(street="x"),
        Person.model_construct(name=5),  # never valid, but that is what was returned
        Link(url="https://example.com/a?b=c"),
        Numbers([1, 2]),
    ],
    ids=lambda value: ascii(value).partition(" at 0x")[0][:40] if not isinstance(value, int) else "int",
)
def test_a_difficult_value_comes_back(value):
    assert same(round_trip(value), value)


def test_no_constructor_and_no_validator_runs_again():
    session, person = Session("anna"), Person(name="ben", friends=[Person(name="carl")])
    person._seen = 7
    CALLS.clear()

    again, person_again = round_trip([session, person])

    assert CALLS == []
    assert (again, again.started, again.extra) == (session, True, ["anna"])
    assert person_again == person
    assert (person_again._seen, person_again.model_fields_set) == (7, {"name", "friends"})


def test_shared_and_deep_values_come_back_and_cycles_are_refused():
    shared = [1]
    assert round_trip([shared, shared]) == [[1], [1]]
    loop = []
    loop.append([loop, loop])
    wide = []
    for _ in range(60):
        wide = [wide, wide]  # 2**60 paths if nobody counted
    for endless in (loop, wide):
        with pytest.raises(Unserialisable, match="nested deeper"):
            encode(endless)
    broad = []
    for _ in range(30):
        broad = [broad, broad]
    with pytest.raises(Unserialisable, match="containers"):
        encode(broad)


class Client:
    pass


class Shout(str):
    __slots__ = ()


class Odd(tuple):
    __slots__ = ()


@dataclasses.dataclass
class Holder(dict):
    a: int = 0


@dataclasses.dataclass
class Cleaner:
    path: str

    def __del__(self):
        CALLS.append("deleted")


@pytest.mark.parametrize(
    ("value", "type_name", "path"),
    [
        ({"items": [0, 1, 2, {"client": Client()}]}, f"{__name__}.Client", "$.items[3].client"),
        ({"a b": (1, {"k": {Client}})}, "type", "$['a b'][1].k{}"),
        ([Fact("x", source=[Client()])], f"{__name__}.Client", "$[0].source[0]"),
        (Person(name="x", tool=print), "builtin_function_or_method", "$.extra.tool"),
        ({Client: 1}, "type", "$.keys()"),
        ({5: object()}, "object", "$[5]"),
        (Shout("x"), f"{__name__}.Shout", "$"),
        (Odd((1,)), f"{__name__}.Odd", "$"),
        (Holder(1), f"{__name__}.Holder", "$"),
        (Cleaner("x"), f"{__name__}.Cleaner", "$"),
        ((number for number in ()), "generator", "$"),
        (ValueError("x"), "ValueError", "$"),
        (memoryview(b"x"), "memoryview", "$"),
        (defaultdict(lambda: 0), "collections.defaultdict", "$"),
        (sys, "module", "$"),
        (dt.datetime(2026, 1, 1, tzinfo=type("Zone", (dt.tzinfo,), {})()), "datetime.datetime", "$"),
        (enum.Enum("Made", "A").A, f"{__name__}.Made", "$"),
    ],
    ids=lambda value: ascii(value).partition(" at 0x")[0][:30],
)
def test_what_cannot_be_recorded_is_named_with_its_place(value, type_name, path):
    with pytest.raises(Unserialisable) as caught:
        encode(value)
    assert (caught.value.type_name, caught.value.path) == (type_name, path)
    assert str(caught.value).endswith(".")


def test_a_class_that_cannot_be_found_again_is_refused_until_it_is_registered():
    @dataclasses.dataclass
    class Local:
        a: int

    types = TypeRegistry()
    with pytest.raises(Unserialisable, match="register_class"):
        encode(Local(1), types=types)
    types.register_class(Local)
    assert round_trip(Local(1), types) == Local(1)


def test_decoding_never_imports_and_takes_only_classes_of_the_right_kind():
    recorded = encode(Fact("x"))
    name = f"{__name__}:Fact"
    for other in (
        "this:Fact",
        "os:system",
        "os:path",
        "omium.errors:OmiumError",
        f"{__name__}:Client",
        "x",
        "",
    ):
        for kind in ("dataclass", "model", "namedtuple", "enum", "url"):
            with pytest.raises(Undecodable) as caught:
                decode({f"$:{kind}": [other, {}]})
            assert caught.value.type_name == other
    assert "this" not in sys.modules
    assert decode(recorded) == Fact("x")
    with pytest.raises(Undecodable):
        decode({"$:model": [name, {"text": "x"}]})


def test_a_lazy_module_is_not_woken_by_a_recorded_name(monkeypatch):
    lazy = ModuleType("lazy_module")
    lazy.__getattr__ = CALLS.append
    monkeypatch.setitem(sys.modules, "lazy_module", lazy)
    CALLS.clear()
    with pytest.raises(Undecodable):
        decode({"$:dataclass": ["lazy_module:Thing", {}]})
    assert CALLS == []


def test_a_class_that_changed_takes_defaults_for_new_fields_and_refuses_lost_ones():
    name = f"{__name__}:Fact"
    assert decode({"$:dataclass": [name, {"text": "x"}]}) == Fact("x")
    assert decode({"$:namedtuple": [f"{__name__}:Point", {"x": 1}]}) == Point(1, 0)
    assert decode({"$:model": [f"{__name__}:Person", {"name": "x"}]}).friends == []
    for form in (
        {"$:dataclass": [name, {"text": "x", "gone": 1}]},
        {"$:dataclass": [name, {}]},
        {"$:namedtuple": [f"{__name__}:Point", {"y": 1}]},
        {"$:model": [f"{__name__}:Person", {}]},
        {"$:model": [f"{__name__}:Person", {"name": "x", "gone": 1}]},
        {"$:enum": [f"{__name__}:Colour", "GREEN"]},
    ):
        with pytest.raises(Undecodable, match="has changed since"):
            decode({"a": [form]})


def test_a_moved_module_is_found_through_an_alias():
    types = TypeRegistry()
    types.alias_module("__main__", __name__)
    assert decode({"$:dataclass": ["__main__:Fact", {"text": "x"}]}, types=types) == Fact("x")


TAGS = """int float str bytes bytearray complex range decimal uuid date datetime time timedelta path dict
    ordereddict counter defaultdict tuple set frozenset deque dataclass namedtuple model enum url my.codec"""
tags = st.sampled_from([*TAGS.split(), "nonsense"])
forms = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-9, 9)
    | st.floats()
    | st.sampled_from(["", "x", f"{__name__}:Fact", "list", "UTC"]),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(["zone", "offset", "name", "text", "set", "a"]), inner, max_size=3),
        st.builds(lambda tag, form: {f"$:{tag}": form}, tags, inner),
    ),
    max_leaves=10,
)


@settings(max_examples=1500, deadline=None)
@given(forms)
def test_a_malformed_form_is_refused_and_nothing_else_is_raised(form):
    with contextlib.suppress(Undecodable):
        assert form is None or decode(form) is not None


class Message:
    def __init__(self, text):
        self.text = text

    def __eq__(self, other):
        return type(self) is type(other) and self.text == other.text

    __hash__ = None


class HumanMessage(Message):
    pass


def test_an_adapter_registers_codecs_on_its_own_registry():
    types = TypeRegistry()
    by_name = {"Message": Message, "HumanMessage": HumanMessage}
    types.register_codec(
        "library.message",
        Message,
        lambda message: {"type": type(message).__name__, "text": message.text},
        lambda parts: by_name[parts["type"]](parts["text"]),
        subclasses=True,
    )
    value = {"messages": [HumanMessage("hello"), Message(("tuple", 2))]}
    assert same(round_trip(value, types)["messages"][0], HumanMessage("hello"))
    assert round_trip(value, types) == value

    with pytest.raises(Unserialisable):
        encode(value)
    with pytest.raises(Undecodable, match="Import the adapter"):
        decode(encode(value, types=types))
    with pytest.raises(Undecodable, match=r"\$\[0\].*refused"):
        decode([{"$:library.message": {"type": "Other"}}], types=types)
    with pytest.raises(ValueError, match="registered already"):
        types.register_codec("library.message", Client, vars, Client)
    with pytest.raises(ValueError, match="not a tag"):
        types.register_codec("message", Client, vars, Client)


def test_a_value_beyond_the_size_limit_is_refused():
    assert encode_bytes("x" * 1000) == b'"' + b"x" * 1000 + b'"'
    with pytest.raises(Unserialisable, match="8388608"):
        encode_bytes(["x" * (8 * 1024 * 1024)])


def test_an_encoded_value_fits_the_limits_of_a_body_around_it():
    deep = 0
    for _ in range(18):
        deep = Fact("x", source=deep)  # three levels of JSON each
    body = json_bytes({"entries": [{"body": {"output": encode(deep)}}]})
    assert decode(parse_json(body)["entries"][0]["body"]["output"]) == deep


def test_plain_reads_like_what_was_meant():
    value = {
        "price": Decimal("1.20"),
        "when": dt.datetime(2026, 1, 1, tzinfo=ZoneInfo("Europe/Berlin")),
        "tags": {"b", "a"},
        "fact": Fact("x", Colour.RED),
        "person": Person(name="a", mood="calm"),
        "counts": defaultdict(int, a=1),
        "pairs": {1: 2},
    }
    assert json.loads(json.dumps(plain(encode(value)))) == {
        "price": "1.20",
        "when": "2026-01-01T00:00:00",
        "tags": ["a", "b"],
        "fact": {"text": "x", "source": "RED", "score": 0.0},
        "person": {"name": "a!", "born": None, "friends": [], "mood": "calm"},
        "counts": {"a": 1},
        "pairs": [[1, 2]],
    }


def test_a_set_is_written_the_same_whatever_its_order_in_memory():
    first, second = set(range(0, 17, 8)), set(range(16, -1, -8))  # these collide: the later ones move
    assert list(first) != list(second)
    assert encode(first) == encode(second)
    assert encode(uuid.UUID(int=1)) == {"$:uuid": "00000000-0000-0000-0000-000000000001"}
