"""Accounts: becoming a user, logging in, another password, leaving for good.

Without a key: sign-up and log-in. Both count an attempt before they look at a password (throttle.py), and do
the same work whether the user exists or not (passwords.py). A repeat after a lost answer opens a further
session, and the first is in the list until it runs out; a repeated sign-up finds its name taken.
"""

from __future__ import annotations

from omium.clock import US_PER_S
from omium.errors import (
    BootstrapClosed,
    InvitationInvalid,
    LastOwner,
    LoginDelayed,
    LoginRefused,
    NameTaken,
    NoTenant,
    PasswordsBusy,
    PersonNeeded,
    SignUpClosed,
)
from omium.models.people import ChangePassword, DeleteAccount, LogIn, NewSession, SignUp
from omium.money import MICROCREDITS_PER_CREDIT
from omium.server.accounts import invitations, members, people, throttle
from omium.server.accounts.names import normalise_name
from omium.server.accounts.passwords import check_password
from omium.server.accounts.roles import require_person
from omium.server.accounts.sessions import MadeSession, make_session, open_session
from omium.server.accounts.tenants import choose_tenant
from omium.server.accounts.throttle import Attempt
from omium.server.db.tx import Tx
from omium.server.store import sessions, users
from omium.server.store.memberships import OwnTenant
from omium.server.store.users import ACTIVE, UserRow
from omium.server.web.endpoint import Call, Idempotency, endpoint
from omium.server.web.hosts import is_here

TAGS = ("account",)
_REFUSED = "The user or the password is wrong."


@endpoint(
    "POST",
    "/v1/sign-up",
    scope=None,
    idempotent=Idempotency.NATURAL,
    body=SignUp,
    reply=NewSession,
    status=201,
    problems=(
        SignUpClosed,
        BootstrapClosed,
        InvitationInvalid,
        NameTaken,
        LoginDelayed,
        PasswordsBusy,
    ),
    audit="user.created",
    summary="Become a user, with the one-time token, an invitation, or on one's own where that is open",
    tags=TAGS,
)
async def sign_up(call: Call[SignUp]) -> NewSession:
    """Dies before the commit: no user, the token and the invitation are good. After it: log in."""
    server, wanted = call.server, call.body
    name = normalise_name(wanted.user)
    check_password(wanted.password, user=name)
    fits = None
    if wanted.token is not None:
        fits = is_here(call.peer, call.address, call.headers) and server.bootstrap.fits(wanted.token)
    shown = None
    if wanted.invitation is not None:
        shown = invitations.read_secret(server.key_file, wanted.invitation)
    attempt = throttle.make_attempt(server.key_file, f"sign-up {name}", call.address)

    def admit(tx: Tx) -> None:
        throttle.begin_attempt(tx, attempt)

    await server.db.write(admit)  # apart, because a refusal must not undo the count
    policy = server.settings.sign_up
    await call.read(lambda tx: people.admit_sign_up(tx, token_fits=fits, invitation=shown, policy=policy))
    digest = await server.passwords.hash(wanted.password)
    made = _make_session(call)
    starter = server.settings.starter_credits * MICROCREDITS_PER_CREDIT

    def work(tx: Tx) -> NewSession:
        people.admit_sign_up(tx, token_fits=fits, invitation=shown, policy=policy)
        if fits is not None:
            user, tenant = people.sign_up_first(tx, name, digest, wanted.tenant, starter)
            tx.after_commit(server.bootstrap.withdraw)
        elif shown is not None:
            user, tenant = people.sign_up_invited(tx, name, digest, shown)
        else:
            user, tenant = people.sign_up_open(tx, name, digest, wanted.tenant, starter)
        throttle.forgive(tx, attempt)
        call.tell(target=user.id, tenant_id=tenant.id, actor_id=user.id)
        return open_session(tx, made, user, tenant, wanted.environment, _max_us(call))

    return await call.write(work)


@endpoint(
    "POST",
    "/v1/log-in",
    scope=None,
    idempotent=Idempotency.NATURAL,
    body=LogIn,
    reply=NewSession,
    status=201,
    problems=(LoginRefused, LoginDelayed, PasswordsBusy, NoTenant, InvitationInvalid),
    audit="session.opened",
    summary="Log in: open a session in one tenant; its secret is shown this once",
    tags=TAGS,
)
async def log_in(call: Call[LogIn]) -> NewSession:
    server, wanted = call.server, call.body
    name = normalise_name(wanted.user)
    shown = None
    if wanted.invitation is not None:
        shown = invitations.read_secret(server.key_file, wanted.invitation)
    attempt = throttle.make_attempt(server.key_file, name, call.address)
    user = await check_user(call, name, wanted.password, attempt)
    made = _make_session(call)

    def work(tx: Tx) -> NewSession:
        throttle.forgive(tx, attempt)
        tenant = _enter(tx, user, wanted.tenant, shown)
        now = users.lock_user(tx, user.id)
        if now is None or now.password != user.password or now.status != ACTIVE:
            # Changed while the password was compared, which ended all sessions: none begins with the former.
            raise LoginRefused(_REFUSED)
        call.tell(target=made.credential.row_id, tenant_id=tenant.id, actor_id=user.id)
        return open_session(tx, made, now, tenant, wanted.environment, _max_us(call))

    return await call.write(work)


@endpoint(
    "POST",
    "/v1/account/password",
    scope=None,
    any_key=True,
    idempotent=Idempotency.NATURAL,
    body=ChangePassword,
    reply=NewSession,
    status=201,
    problems=(LoginRefused, LoginDelayed, PasswordsBusy, PersonNeeded),
    audit="password.changed",
    summary="Set another password; every session ends, and a new one is opened",
    tags=TAGS,
)
async def change_password(call: Call[ChangePassword]) -> NewSession:
    """Dies before the commit: the former password and all sessions are good. After it: log in again."""
    user = await _own_user(call)
    check_password(call.body.new_password, user=user.name, pointer="/new_password")
    attempt = throttle.make_attempt(call.server.key_file, user.name, call.address)
    user = await check_user(call, user.name, call.body.password, attempt)
    digest = await call.server.passwords.hash(call.body.new_password)
    made = _make_session(call)
    principal = call.principal

    def work(tx: Tx) -> NewSession:
        throttle.forgive(tx, attempt)
        if not users.set_password(tx, user.id, user.password, digest):
            raise LoginRefused("The password was changed at the same moment; log in with the new one.")
        tenant = choose_tenant(tx, user.id, principal.tenant_id)
        end_all(call, tx, sessions.end_of_user(tx, user.id))
        call.tell(target=user.id)
        return open_session(tx, made, user, tenant, principal.environment, _max_us(call))

    return await call.write(work)


@endpoint(
    "POST",
    "/v1/account/delete",
    scope=None,
    any_key=True,
    idempotent=Idempotency.NATURAL,
    body=DeleteAccount,
    problems=(LoginRefused, LoginDelayed, PasswordsBusy, PersonNeeded, LastOwner),
    audit="user.deleted",
    summary="Delete the user who asks, with all sessions; the last owner of a tenant cannot",
    tags=TAGS,
)
async def delete_account(call: Call[DeleteAccount]) -> None:
    """Dies before the commit: nothing has happened. After it, and a second time: nobody is let in."""
    user = await _own_user(call)
    attempt = throttle.make_attempt(call.server.key_file, user.name, call.address)
    user = await check_user(call, user.name, call.body.password, attempt)

    def work(tx: Tx) -> None:
        throttle.forgive(tx, attempt)
        end_all(call, tx, members.delete_user(tx, user.id))
        call.tell(target=user.id)

    await call.write(work)


async def check_user(call: Call, name: str, password: str, attempt: Attempt) -> UserRow:
    """Return the user if the password is his; else `LoginRefused`, the same for every reason.

    The attempt counts as failed until the caller forgives it in his own transaction. Raises `LoginDelayed`,
    `PasswordsBusy`.
    """
    server = call.server

    def begin(tx: Tx) -> UserRow | None:
        throttle.begin_attempt(tx, attempt)
        return users.find_by_name(tx, name)

    user = await server.db.write(begin)
    fits = await server.passwords.fits(password, user.password if user else None)
    if user is None or not fits or user.status != ACTIVE:
        raise LoginRefused(_REFUSED)
    if not server.passwords.is_outdated(user.password):
        return user
    fresh, former = await server.passwords.hash(password), user.password
    await server.db.write(lambda tx: users.rehash(tx, user.id, former, fresh))
    return await call.read(lambda tx: users.find_user(tx, user.id)) or user


def end_all(call: Call, tx: Tx, credential_ids: list[str]) -> None:
    """Forget the sessions or keys once the transaction is committed, and end what they have opened."""
    server = call.server

    def close() -> None:
        server.auth.forget(*credential_ids)
        for credential_id in credential_ids:
            server.live.close_principal(credential_id)

    tx.after_commit(close)


def _enter(tx: Tx, user: UserRow, wanted: str | None, shown: invitations.Shown | None) -> OwnTenant:
    if shown is not None:
        return invitations.use_invitation(tx, shown, user.id)
    return choose_tenant(tx, user.id, wanted)


def _make_session(call: Call) -> MadeSession:
    server = call.server
    return make_session(
        server.key_file, server.clock.now_us(), call.headers.get("user-agent", ""), call.address
    )


def _max_us(call: Call) -> int:
    return round(call.server.settings.session_max_s * US_PER_S)


async def _own_user(call: Call) -> UserRow:
    require_person(call.principal)
    user = await call.read(lambda tx: users.find_user(tx, call.principal.id))
    if user is None:  # deleted in this moment
        raise LoginRefused(_REFUSED)
    return user


ENDPOINTS = [sign_up, log_in, change_password, delete_account]
