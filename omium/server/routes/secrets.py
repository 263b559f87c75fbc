"""Named secrets: set, list, delete. There is no endpoint that shows a value."""

from __future__ import annotations

import re

from omium.errors import InvalidRequest, LimitReached, NotFound
from omium.models.secret import SECRET_NAME, Secret, SetSecret
from omium.models.wire import Command, Page
from omium.server.secrets import named
from omium.server.store import secrets as store
from omium.server.web.endpoint import Call, Idempotency, endpoint
from omium.server.web.pagination import PageQuery, decode_cursor, make_page
from omium.states import Environment, Scope

TAGS = ("secrets",)


@endpoint(
    "PUT",
    "/v1/secrets/{name}",
    scope=Scope.MANAGE,
    idempotent=Idempotency.NATURAL,
    body=SetSecret,
    reply=Secret,
    problems=(InvalidRequest, LimitReached),
    audit="secret.set",
    summary="Set a named secret; its value is never shown again",
    tags=TAGS,
)
async def set_secret(call: Call[SetSecret]) -> Secret:
    # Sent twice: one version more, the same value.
    name, server = call.path["name"], call.server
    if re.fullmatch(SECRET_NAME, name) is None:
        raise InvalidRequest(
            "A secret's name has up to 100 letters, digits, dots, dashes and underscores, and begins with a"
            " letter or an underscore."
        )
    environment = call.body.environment or call.principal.environment
    call.tell(environment=environment.value)
    value = call.body.value
    secret = await call.write(
        lambda tx: named.set_secret(tx, server.key_file, call.principal, environment, name, value)
    )
    server.known_secrets.forget(call.principal.tenant_id)
    return secret


@endpoint(
    "GET",
    "/v1/secrets",
    scope=Scope.READ,
    query=PageQuery,
    reply=Page[Secret],
    problems=(InvalidRequest,),
    summary="List named secrets, without their values",
    tags=TAGS,
)
async def list_secrets(call: Call[None, PageQuery]) -> Page[Secret]:
    query, after = call.query, ("", "")
    if query.after is not None:
        environment, name = decode_cursor(query.after, str, str)
        after = (str(environment), str(name))
    rows = await call.read(
        lambda tx: store.list_secrets(tx, call.principal.tenant_id, after, query.limit + 1)
    )
    return make_page(rows, query.limit, key=lambda row: (row.environment, row.name), item=named.view_secret)


class SecretQuery(Command):
    """Which environment's secret; the caller's own by default."""

    environment: Environment | None = None


@endpoint(
    "DELETE",
    "/v1/secrets/{name}",
    scope=Scope.MANAGE,
    idempotent=Idempotency.NATURAL,
    query=SecretQuery,
    problems=(NotFound,),
    audit="secret.deleted",
    summary="Delete a named secret",
    tags=TAGS,
)
async def delete_secret(call: Call[None, SecretQuery]) -> None:
    environment = call.query.environment or call.principal.environment
    call.tell(environment=environment.value)
    await call.write(lambda tx: named.delete_secret(tx, call.principal, environment, call.path["name"]))
    call.server.known_secrets.forget(call.principal.tenant_id)


ENDPOINTS = [set_secret, list_secrets, delete_secret]
