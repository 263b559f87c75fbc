"""A search finds the section that a person means, and shows why."""

import pytest

from omium.manual import Manual, search
from omium.manual.searching import HITS_MAX, mark_words, split_words

MANUAL = Manual.open()


@pytest.mark.parametrize(
    ("asked", "place"),
    [
        ("lease", "concepts#leases"),
        ("lease-lost", "errors#lease-lost"),
        ("backup", "operations#backups"),
        ("api key scopes", "keys#scopes-and-workflows"),
        ("rollback", "replay-and-rollback#rollback"),
        ("POST /v1/executions", "http#post-v1executions"),
    ],
)
def test_the_place_that_is_meant_comes_first(asked, place):
    assert str(search(MANUAL, asked)[0].place) == place


def test_an_excerpt_holds_the_words():
    for asked in ("checkpoint", "spend cap", "kill -9"):
        for hit in search(MANUAL, asked)[:5]:
            shown = f"{hit.title} {hit.heading} {hit.excerpt}".lower()
            assert any(word in shown for word in split_words(asked))
            assert len(hit.excerpt) < 200
            assert "\n" not in hit.excerpt


def test_a_word_is_found_at_the_beginning_of_words_only():
    assert search(MANUAL, "checkpo")
    assert search(MANUAL, "heckpoint") == []


def test_sections_with_every_word_push_out_the_others():
    both = search(MANUAL, "lease epoch", hits_max=1000)
    assert both
    for hit in both:
        page = MANUAL.get_page(hit.page)
        text = f"{page.title} {page.cut_out(hit.anchor)}".lower()
        assert "lease" in text
        assert "epoch" in text


def test_a_word_that_is_nowhere_does_not_hide_the_rest():
    assert [hit.place for hit in search(MANUAL, "lease qqqqq")] == [
        hit.place for hit in search(MANUAL, "lease")
    ]


@pytest.mark.parametrize("asked", ["", "  ", "???", "qqqqq", "(", "\\", "[-"])
def test_what_is_nowhere_finds_nothing(asked):
    assert search(MANUAL, asked) == []


def test_there_are_never_more_than_were_asked_for():
    assert len(search(MANUAL, "the")) == HITS_MAX
    assert len(search(MANUAL, "the", hits_max=3)) == 3


def test_a_very_long_question_is_cut():
    assert len(split_words(" ".join(f"word{number}" for number in range(1000)))) == 12


def test_pieces_of_a_text_say_whether_they_are_the_words():
    assert list(mark_words("A lease is leased.", "LEASE is")) == [
        ("A ", False),
        ("lease", True),
        (" ", False),
        ("is", True),
        (" ", False),
        ("lease", True),
        ("d.", False),
    ]
    assert list(mark_words("text", "")) == [("text", False)]
