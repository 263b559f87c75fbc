"""The registry of actions: every key of every page, detail and widget, as far as no server is needed."""

import pkgutil
from importlib import import_module

import pytest
from textual.screen import Screen
from textual.widget import Widget

import omium.tui
from omium.tui import actions
from omium.tui.actions import Action
from omium.tui.app import DashboardApp
from omium.tui.pages.page import PageScreen
from omium.tui.registry import DETAILS, PAGES, load_detail

_DASHBOARDS = [action for action in actions.EVERYWHERE if action is not actions.BACK]
GLOBAL_KEYS = {page.key: "page" for page in PAGES}
GLOBAL_KEYS |= {key: action.name for action in _DASHBOARDS for key in action.key.split(",")}
EXCLUSIVE = {frozenset({"tag", "create"}), frozenset({"untag", "remove"})}
"""Names with one key on one page, of which `may_do` says yes to one at most: each belongs to other tabs."""


def load_everything():
    for found in pkgutil.walk_packages(omium.tui.__path__, "omium.tui."):
        import_module(found.name)


def all_below(kind):
    for each in kind.__subclasses__():
        yield each
        yield from all_below(each)


def with_actions():
    """Return every page, screen and widget that says which actions it has."""
    load_everything()
    own = {each for each in all_below(Widget) if each.__module__.startswith("omium.tui.")}
    return sorted((each for each in own if getattr(each, "ACTIONS", ())), key=lambda each: each.__qualname__)


def binding_keys(kind):
    """Return the keys that a class binds to each action, its base classes' included."""
    bound = {}
    for key, bindings in kind._merge_bindings().key_to_bindings.items():
        for each in bindings:
            bound.setdefault(each.action, set()).add(key)
    return bound


@pytest.mark.parametrize("kind", with_actions(), ids=lambda kind: kind.__name__)
def test_each_action_has_its_method_its_sentence_and_a_key_of_its_own(kind):
    bound = binding_keys(kind)
    taken: dict[str, Action] = {}
    for action in kind.ACTIONS:
        owners = (kind, DashboardApp)
        assert any(hasattr(owner, f"action_{action.name}") for owner in owners), f"{action.name} does nothing"
        assert action.help.endswith("."), f"{action.name}: {action.help!r} is no sentence"
        assert action.help[0].isupper(), f"{action.name}: {action.help!r} is no sentence"
        assert action.label, f"{action.name} has no words for the footer"
        for key in action.key.split(","):
            assert key in bound.get(action.name, ()), f"{key} is in ACTIONS and not bound to {action.name}"
            other = taken.setdefault(key, action)
            pair = frozenset({other.name, action.name})
            assert other is action or pair in EXCLUSIVE, f"{key} is {other.name} and {action.name}"
            meant = GLOBAL_KEYS.get(key, action.name)
            assert meant == action.name, f"{key} means {meant} everywhere, and here {action.name}"


def test_what_pages_share_means_the_same_on_every_page():
    shared = {action.name: action for action in (*actions.SHARED, *actions.EVERYWHERE)}
    for kind in with_actions():
        if issubclass(kind, Screen):
            for action in kind.ACTIONS:
                usual = shared.get(action.name, action)
                assert action.key == usual.key, f"{kind.__name__}: {action.name} is on {action.key}"


def test_every_page_of_the_registry_is_a_page_of_its_own_word_and_key():
    assert len({page.key for page in PAGES}) == len({page.name for page in PAGES}) == len(PAGES) == 10
    for page in PAGES:
        kind = page.load()
        assert issubclass(kind, PageScreen)
        assert page.name == kind.NAME
        assert page.help.endswith(".")
    for prefix in DETAILS:
        detail = load_detail(f"{prefix}_x")
        assert detail is not None
        assert detail.NAME in {page.name for page in PAGES}
