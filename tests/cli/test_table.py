"""Tables fit the terminal, ids stay findable, and nothing that a terminal obeys comes through."""

from hypothesis import given
from hypothesis import strategies as st

from omium.cli.cells import Cell, state, width_of
from omium.cli.table import Column, lay_out, shorten_ids
from omium.ids import new_id
from omium.safetext import safe_text
from omium.words import ago, iso_time, json_text, size, span, value

IDS = [new_id("ex", 1_790_000_000_000_000 + number) for number in range(20)]
COLUMNS = [
    Column("EXECUTION", lambda row: row[0], give="id"),
    Column("NAME", lambda row: row[1], give="cut"),
    Column("STATUS", lambda row: state("failed", row[2])),
    Column("TOOK", lambda row: "12 s", align="right", spare=1),
    Column("WHAT", lambda row: row[1], give="fold", width_min=10),
]


def lines(rows, width):
    return ["".join(cell.text for cell in line) for line in lay_out(COLUMNS, rows, width)]


def test_a_pipe_gets_everything_whole():
    printed = lines([(IDS[0], "a name that is long " * 5, "driver-lost")], None)

    assert len(printed) == 2
    assert IDS[0] in printed[1]
    assert printed[1].count("a name that is long") == 10


def test_eighty_columns_are_never_exceeded_and_ids_stay_unique():
    printed = lines([(each, f"workflow-{number} " * 4, "driver-lost") for number, each in enumerate(IDS)], 80)

    assert max(map(width_of, printed)) <= 80
    short = {line.split()[0] for line in printed if line.startswith("ex_")}
    assert len(short) == 20
    for each in short:
        head, tail = each.split("…")
        assert sum(whole.startswith(head) and whole.endswith(tail) for whole in IDS) == 1


def test_short_ids_grow_where_their_ends_are_alike():
    alike = ["ex_" + "0" * 20 + "aabcde", "ex_" + "0" * 19 + "11" + "abcde"[:5], "ex_" + "0" * 20 + "babcde"]
    assert len(set(shorten_ids(alike).values())) == 3


def test_columns_of_one_table_begin_at_the_same_place():
    printed = lines([(IDS[0], "短い名前", ""), (IDS[1], "name", "x")], 120)

    at = printed[0].index("STATUS")
    assert [width_of(line[: line.index("✗")]) for line in printed[1:]] == [at, at]


@given(st.lists(st.text(max_size=200), min_size=1, max_size=4), st.integers(60, 200))
def test_whatever_the_names_are_lines_fit_and_are_harmless(names, width):
    for line in lines([(IDS[0], name, "") for name in names], width):
        assert width_of(line) <= width
        assert safe_text(line) == line


@given(st.text(), st.integers(1, 40))
def test_a_cut_cell_is_no_wider_than_asked(text, width):
    assert Cell(text).cut(width).width <= width


@given(st.text(max_size=300), st.integers(2, 40))
def test_a_folded_cell_loses_nothing_but_blanks(text, width):
    cell = Cell(text)
    folded = list(cell.fold(width))

    assert all(part.width <= width for part in folded)
    assert "".join("".join(part.text.split()) for part in folded) == "".join(cell.text.split())


@given(
    st.recursive(
        st.text() | st.integers() | st.none(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_json_is_the_same_value_and_harmless(plain):
    import json

    text = json_text(plain)
    assert safe_text(text) == text
    assert json.loads(text) == plain


def test_a_megabyte_on_one_line_is_cut():
    assert len(Cell("x" * 1_000_000).text) <= 1_000
    shown = value("y" * 1_000_000)
    assert len(shown) < 3_000
    assert "998,000 more characters; --json shows all of it" in shown


def test_times_and_sizes_are_said_in_their_largest_unit():
    minute_us = 60_000_000
    assert [span(each) for each in (0, 300, 340_000, 999_800, 1_500_000, 90_000_000, 7_200_000_000)] == [
        "0 ms", "<1 ms", "340 ms", "1.0 s", "1.5 s", "2 min", "2 h",
    ]  # fmt: skip
    assert ago(None, 0) == "-"
    assert ago(5 * minute_us, 5 * minute_us) == "just now"
    assert ago(0, 59_400_000) == "59 s ago"
    assert ago(3 * minute_us, 0) == "in 3 min"
    assert iso_time(1_500_000) == "1970-01-01T00:00:01.500000+00:00"
    assert [size(each) for each in (None, 3, 2048, 3 * 2**20)] == ["-", "3 B", "2 KiB", "3 MiB"]
