"""What differs between two values, and huge texts: no more of them is drawn than can be looked at."""

from itertools import islice

from omium.tui.content import TEXT_LENGTH_MAX, safe_lines
from omium.tui.json_changes import MISSING, list_changes

HUGE = "x" * 1_000_000


def lines_of(one, other):
    return [f"{sign} {line}" for each in list_changes(one, other) for sign, line in each.lines]


def test_a_change_says_where_it_is_and_what_was_there():
    one, other = {"items": [{"price": 1}, 2], "same": True}, {"items": [{"price": 3}], "same": True}
    assert lines_of(one, other) == ["- items[0].price: 1", "+ items[0].price: 3", "- items[1]: 2"]
    assert [each.other for each in list_changes({"a": 1}, {})] == [MISSING]


def test_huge_names_and_values_are_cut_in_every_line():
    one = {HUGE: {str(number): HUGE for number in range(50)}}
    lines = lines_of(one, {HUGE: {}})
    assert len(lines) == 50
    assert max(map(len, lines)) < 600
    assert all("(1,000,002 characters)" in line for line in lines)


def test_who_asks_for_a_few_changes_gets_them_without_the_others():
    class Uneven(dict):
        def get(self, name, default=None):
            asked.append(name)
            return super().get(name, default)

    asked = []
    value = Uneven({str(number): number for number in range(10_000)})
    assert len(list(islice(list_changes(value, {}), 3))) == 3
    assert len(asked) == 3


def test_a_huge_text_is_cut_and_says_how_much_is_missing():
    text = safe_lines(HUGE)
    assert len(text) < TEXT_LENGTH_MAX + 100
    assert text.endswith("\n… 900,000 more characters")
    assert safe_lines("a\n\x1b[31mb") == "a\n[31mb"
    assert safe_lines("y" * TEXT_LENGTH_MAX) == "y" * TEXT_LENGTH_MAX
