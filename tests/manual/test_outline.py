"""Headings, anchors, sections: by the rule of Git hosts, whatever stands in fenced blocks."""

from omium.manual.outline import (
    make_anchor,
    plain_text,
    read_headings,
    read_sections,
    strip_comments,
)
from tests.docs.pages import PAGES, list_anchors

PAGE = """# A page

Before.

## One `two` [three](x.md)

```console
## no heading
$ echo
```

## One two three

### POST /v1/keys/{key_id}

After.
"""


def test_headings_have_levels_words_and_anchors_and_repeats_are_numbered():
    found = [(heading.level, heading.text, heading.anchor) for heading in read_headings(PAGE)]

    assert found == [
        (1, "A page", "a-page"),
        (2, "One two three", "one-two-threexmd"),
        (2, "One two three", "one-two-three"),
        (3, "POST /v1/keys/{key_id}", "post-v1keyskey_id"),
    ]


def test_an_anchor_that_occurs_again_gets_a_number():
    assert [each.anchor for each in read_headings("# A\n## B\n## B\n### B\n")] == ["a", "b", "b-1", "b-2"]


def test_sections_hold_what_stands_below_each_heading():
    sections = read_sections(PAGE, read_headings(PAGE))

    assert [each.text.partition("\n")[0] for each in sections] == ["Before.", "```console", "", "After."]
    assert "## no heading" in sections[1].text


def test_what_stands_before_the_first_heading_is_a_section_without_one():
    text = "Hello.\n\n# Title\n"
    sections = read_sections(text, read_headings(text))

    assert [(each.heading and each.heading.text, each.text) for each in sections] == [
        (None, "Hello."),
        ("Title", ""),
    ]


def test_comments_are_left_out_but_not_those_in_blocks():
    text = "a\n\n<!-- not run: x -->\n\n```text\n<!-- kept -->\n```\nb <!-- kept too -->\n"

    assert strip_comments(text) == "a\n\n```text\n<!-- kept -->\n```\nb <!-- kept too -->\n"


def test_plain_text_has_the_words_and_no_marks():
    assert plain_text("| `a` | [b](c.md#d) |\n|---|---|\n| **e** *f* | 2 \\| 3 * 4 |") == "a b e f 2 | 3 * 4"


def test_an_anchor_keeps_letters_of_any_language():
    assert make_anchor("Über `x_y` & z!") == "über-x_y--z"


def test_anchors_are_those_that_the_link_check_knows():
    for page in PAGES:
        text = page.read_text()
        assert {heading.anchor for heading in read_headings(text)} == list_anchors(text), page
