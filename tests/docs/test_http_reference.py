"""docs/http.md says what the server does: its reference is written from the declared endpoints."""

import importlib.util

import pytest

from omium.models.wire import Command
from omium.server.routes import list_endpoints
from omium.server.web.meanings import list_words
from tests.docs.pages import ROOT

_spec = importlib.util.spec_from_file_location(
    "http_reference", ROOT / "tools" / "generate_http_reference.py"
)
assert _spec is not None
assert _spec.loader is not None
reference = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(reference)

PAGE = reference.PAGE.read_text("utf-8")


def test_the_reference_is_current():
    assert reference.make_page(PAGE) == PAGE, "run: python tools/generate_http_reference.py"


@pytest.mark.parametrize("endpoint", list_endpoints(), ids=lambda endpoint: endpoint.name)
def test_every_endpoint_has_a_section(endpoint):
    assert f"\n### {endpoint.method} {endpoint.path}\n\n{endpoint.summary}. " in PAGE


@pytest.mark.parametrize(
    "model",
    [model for model in reference.list_models(list_endpoints()) if issubclass(model, Command)],
    ids=lambda model: model.__name__,
)
def test_every_field_that_is_sent_has_a_meaning(model):
    silent = [name for name in model.model_fields if not reference.find_meaning(model, name)]

    assert silent == [], "write a string below the field, or a line into omium/server/web/field_words.toml"


def test_no_word_stands_for_nothing():
    models = reference.list_models(list_endpoints())
    used = {f"{model.__name__}.{name}" for model in models for name in model.model_fields}
    used |= {word.partition(".")[2] for word in used}

    assert list_words().keys() - used == set()
