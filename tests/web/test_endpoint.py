"""Declarations that contradict themselves are refused at import."""

import pytest
from pydantic import BaseModel

from omium.errors import NotFound
from omium.models.keys import ShortToken
from omium.server.routes import list_endpoints
from omium.server.web.endpoint import Answer, Call, Endpoint, Idempotency, endpoint
from omium.states import Scope


class Thing(BaseModel):
    id: str


async def handler(call: Call[Thing]) -> Answer:
    return Answer(b"{}")


def test_a_declaration_is_the_endpoint():
    declared = endpoint(
        "POST",
        "/v1/things/{thing_id}/parts/{part_id}",
        scope=Scope.RUN,
        idempotent=Idempotency.KEYED,
        body=Thing,
        reply=Thing,
        problems=(NotFound,),
        summary="Add a part",
    )(handler)

    assert isinstance(declared, Endpoint)
    assert declared.name == "handler"
    assert declared.path_parameters == ("thing_id", "part_id")
    assert declared.status == 200


def test_an_endpoint_without_a_reply_answers_204():
    declared = endpoint("DELETE", "/v1/x", scope=Scope.RUN, idempotent=Idempotency.NATURAL, summary="Drop x")(
        handler
    )
    assert declared.status == 204


@pytest.mark.parametrize(
    "wrong",
    [
        {"method": "GET", "body": Thing},
        {"method": "GET", "idempotent": Idempotency.KEYED},
        {"method": "POST"},
        {"method": "POST", "idempotent": Idempotency.KEYED, "scope": None},
        {"method": "GET", "path": "v1/x"},
        {"method": "GET", "path": "/v1/{Bad}"},
        {"method": "GET", "summary": "A sentence."},
    ],
)
def test_a_contradiction_is_refused(wrong):
    arguments = {"path": "/v1/x", "scope": Scope.READ, "summary": "Do it", **wrong}
    method, path = arguments.pop("method"), arguments.pop("path")
    with pytest.raises(ValueError, match=path):
        endpoint(method, path, **arguments)(handler)


def test_no_secret_that_comes_or_goes_is_in_the_text_of_its_model():
    """A model in a log line or a traceback tells nothing."""
    shown = []
    for each in list_endpoints():
        taken = each.body.model_fields if each.body else {}
        fields = [taken[name] for name in taken if "password" in name or name == "invitation"]
        fields += [each.reply.model_fields[name] for name in each.secret_fields]
        shown += [each.name for field in fields if field.repr]

    assert shown == []
    assert not ShortToken.model_fields["token"].repr
