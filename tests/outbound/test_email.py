"""E-mail goes through a real mail server, to whom it may, in a form that nobody can forge."""

import contextlib
import email
import socket
import ssl

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

from omium.errors import ConfigError
from omium.server.outbound.addresses import TargetRefused
from omium.server.outbound.email import MailServer
from omium.server.outbound.http import SendFailed
from omium.server.tls import load_certificate
from tests.serverfixture import test_settings

HERE = "127.0.0.1"


class Mailbox:
    """Takes everything but what is for nobody@."""

    def __init__(self) -> None:
        self.taken: list[email.message.Message] = []
        self.logins: list[tuple[bytes, bytes]] = []

    async def handle_RCPT(self, _server, _session, envelope, address, _options):  # noqa: N802  # the library's name
        if address.startswith("nobody@"):
            return "550 no such user"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server, _session, envelope):  # noqa: N802  # the library's name
        self.taken.append(email.message_from_bytes(envelope.content))
        return "250 OK"


@pytest.fixture
def mailbox():
    with open_mailbox() as handler:
        yield handler


@contextlib.contextmanager
def open_mailbox(**options):
    handler = Mailbox()
    controller = Controller(handler, hostname="127.0.0.1", port=0, **options)
    controller.port = free_port()
    controller.start()
    handler.port = controller.port
    try:
        yield handler
    finally:
        controller.stop()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A certificate for 127.0.0.1, of an authority that only this test knows."""
    return load_certificate(test_settings(tmp_path_factory.mktemp("authority"), tls=True))


@contextlib.contextmanager
def open_guarded_mailbox(certificate, tls):
    """A mail server that takes a message only through TLS and from one account."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.chain_file, certificate.key_file)

    def judge(_server, _session, _envelope, _mechanism, given):
        handler.logins.append((given.login, given.password))
        return AuthResult(success=(given.login, given.password) == (b"omium", b"of the pager"))

    options = {"authenticator": judge}
    if tls == "tls":
        options |= {"ssl_context": context, "auth_require_tls": False}  # it is, before the first word
    else:
        options |= {"tls_context": context, "require_starttls": True, "auth_required": True}
    with open_mailbox(**options) as handler:
        yield handler


def by_name(mailbox, certificate, tls, **fields):
    chosen = {"user": "omium", "password": "of the pager", "ca_file": str(certificate.authority_file)}
    return server(mailbox.port, tls=tls, **(chosen | fields))


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def server(port, **fields):
    values = {
        "host": "127.0.0.1",
        "tls": "none",
        "user": "",
        "password": "",
        "sender": "omium@example.com",
        "timeout_s": 20.0,
    }
    return MailServer(port=port, **(values | fields))


async def test_a_message_arrives_with_an_id_of_its_own(mailbox):
    await server(mailbox.port).send(["a@example.com", "b@example.com"], "[Omium] low", "Text\n", "dl_1")

    [message] = mailbox.taken
    assert message["Subject"] == "[Omium] low"
    assert message["To"] == "a@example.com, b@example.com"
    assert message["Message-ID"] == "<dl_1@example.com>"
    assert message.get_payload().strip() == "Text"


async def test_a_subject_cannot_bring_headers_of_its_own(mailbox):
    with pytest.raises((SendFailed, ValueError)):
        await server(mailbox.port).send(["a@example.com"], "x\r\nBcc: c@example.com", "Text", "dl_1")
    assert mailbox.taken == []


async def test_a_recipient_that_is_refused_is_a_failure(mailbox):
    with pytest.raises(SendFailed, match="did not take it"):
        await server(mailbox.port).send(["nobody@example.com"], "s", "t", "dl_1")


async def test_a_mail_server_that_is_away_is_a_failure():
    with pytest.raises(SendFailed, match="did not take it"):
        await server(free_port()).send(["a@example.com"], "s", "t", "dl_1")


async def test_without_the_tls_that_was_asked_for_nothing_is_sent(mailbox):
    with pytest.raises(SendFailed, match="did not take it"):
        await server(mailbox.port, tls="starttls").send(["a@example.com"], "s", "t", "dl_1")
    assert mailbox.taken == []


TLS = pytest.mark.parametrize("tls", ["tls", "starttls"])


@TLS
async def test_a_message_goes_through_tls_after_a_login(certificate, tls):
    with open_guarded_mailbox(certificate, tls) as mailbox:
        await by_name(mailbox, certificate, tls).send(["a@example.com"], "[Omium] low", "Text", "dl_1")

        assert mailbox.logins == [(b"omium", b"of the pager")]
        assert [message["Subject"] for message in mailbox.taken] == ["[Omium] low"]


@TLS
async def test_a_wrong_password_is_a_failure_that_does_not_repeat_it(certificate, tls):
    with open_guarded_mailbox(certificate, tls) as mailbox:
        with pytest.raises(SendFailed, match="did not take it") as failed:
            await by_name(mailbox, certificate, tls, password="wrong").send(["a@b.c"], "s", "t", "dl_1")

        assert "wrong" not in str(failed.value)
        assert mailbox.taken == []


@TLS
@pytest.mark.parametrize("fields", [{"ca_file": ""}, {"host": "localhost.example"}], ids=["unknown", "name"])
async def test_a_certificate_that_is_not_the_mail_servers_gets_neither_password_nor_message(
    certificate, tls, fields, monkeypatch
):
    resolve = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda _host, *rest, **named: resolve(HERE, *rest, **named))
    with open_guarded_mailbox(certificate, tls) as mailbox:
        with pytest.raises(SendFailed, match="certificate verify failed"):
            await by_name(mailbox, certificate, tls, **fields).send(["a@example.com"], "s", "t", "dl_1")

        assert (mailbox.logins, mailbox.taken) == ([], [])


@pytest.mark.parametrize(
    "text", ["", "a", "a@b@c", "a@b.c,", "a@b.c\r\nRCPT TO:<x@y>", "<a@b.c>", ",".join(["a@b.c"] * 11)]
)
def test_what_is_no_address_is_refused(text):
    with pytest.raises(TargetRefused):
        server(25).read_recipients(text)


def test_the_operator_may_say_who_gets_mail():
    mail = server(25, recipients=("@example.com",))

    assert mail.read_recipients("a@Example.com") == ["a@Example.com"]
    with pytest.raises(TargetRefused):
        mail.read_recipients("a@example.com.evil.org")


@pytest.mark.parametrize(
    "fields", [{"tls": "maybe"}, {"sender": "nobody"}, {"user": "me", "password": "p", "tls": "none"}]
)
def test_settings_that_cannot_be_right_are_refused(fields):
    with pytest.raises(ConfigError):
        server(25, **fields)


def test_the_password_does_not_stand_where_the_server_is_written_down():
    assert "hidden" not in repr(server(25, user="me", password="hidden", tls="tls"))
