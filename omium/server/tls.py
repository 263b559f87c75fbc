"""TLS: a local certificate authority in the data folder, and a certificate that it signed for this server.

Clients pin the authority by its file or its fingerprint, which the server prints. The authority lasts ten
years; the server's own certificate is made anew at a start when it ends soon or names something else. Nothing
is asked of anyone outside.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
import os
import socket
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from omium.errors import ConfigError
from omium.server.settings import ServerSettings

AUTHORITY_DAYS = 3_650
CERTIFICATE_DAYS = 397  # what browsers accept at the most
RENEW_DAYS = 60
_ALWAYS = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, slots=True)
class Certificate:
    """Files for the server and for its clients."""

    chain_file: Path
    key_file: Path
    authority_file: Path
    fingerprint: str


def load_certificate(settings: ServerSettings) -> Certificate:
    """Return the server's certificate, making authority and certificate where they are missing or too old.

    Raises `ConfigError` when a file in the folder cannot be read as what it should be.
    """
    folder = settings.data / "tls"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    authority_file, authority_key_file = folder / "ca.pem", folder / "ca.key"
    chain_file, key_file = folder / "server.pem", folder / "server.key"
    now = dt.datetime.now(dt.UTC)
    try:
        if not (authority_file.exists() and authority_key_file.exists()):
            _make_authority(authority_file, authority_key_file, now)
        authority = x509.load_pem_x509_certificate(authority_file.read_bytes())
        names = _names(settings)
        if not (key_file.exists() and _is_good(chain_file, authority, names, now)):
            authority_key = serialization.load_pem_private_key(authority_key_file.read_bytes(), None)
            assert isinstance(authority_key, ec.EllipticCurvePrivateKey)
            _make_certificate(chain_file, key_file, authority, authority_key, names, now)
    except (ValueError, AssertionError) as error:
        raise ConfigError(
            f"A file in {folder} is damaged ({error}); move the folder away to make new ones."
        ) from error
    digest = authority.fingerprint(hashes.SHA256()).hex().upper()
    fingerprint = ":".join(digest[at : at + 2] for at in range(0, len(digest), 2))
    return Certificate(chain_file, key_file, authority_file, fingerprint)


def _names(settings: ServerSettings) -> list[x509.GeneralName]:
    texts = [*_ALWAYS, socket.gethostname(), *settings.tls_names, *settings.allowed_hosts]
    if settings.host not in {"0.0.0.0", "::"}:  # noqa: S104  # compared, not bound
        texts.append(settings.host)
    names: list[x509.GeneralName] = []
    for text in dict.fromkeys(texts):
        try:
            names.append(x509.IPAddress(ipaddress.ip_address(text)))
        except ValueError:
            names.append(x509.DNSName(text))
    return names


def _make_authority(certificate_file: Path, key_file: Path, now: dt.datetime) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name(
        [x509.NameAttribute(NameOID.COMMON_NAME, f"Omium local CA on {socket.gethostname()}"[:64])]
    )
    usage = x509.KeyUsage(
        digital_signature=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=True,
        encipher_only=False,
        decipher_only=False,
    )
    certificate = (
        _builder(name, name, key.public_key(), now, AUTHORITY_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    _write(key_file, _key_bytes(key))
    _write(certificate_file, certificate.public_bytes(serialization.Encoding.PEM))


def _make_certificate(
    chain_file: Path,
    key_file: Path,
    authority: x509.Certificate,
    authority_key: ec.EllipticCurvePrivateKey,
    names: list[x509.GeneralName],
    now: dt.datetime,
) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Omium server")])
    certificate = (
        _builder(subject, authority.subject, key.public_key(), now, CERTIFICATE_DAYS)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()), critical=False
        )
        .sign(authority_key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    _write(key_file, _key_bytes(key))
    _write(chain_file, certificate.public_bytes(pem) + authority.public_bytes(pem))


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, now: dt.datetime, days: int
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))  # a client's clock may be a little behind
        .not_valid_after(now + dt.timedelta(days=days))
    )


def _is_good(
    chain_file: Path, authority: x509.Certificate, names: list[x509.GeneralName], now: dt.datetime
) -> bool:
    if not chain_file.exists():
        return False
    certificate = x509.load_pem_x509_certificate(chain_file.read_bytes())
    try:
        certificate.verify_directly_issued_by(authority)
    except (InvalidSignature, ValueError, TypeError):
        return False
    has = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return set(names) <= set(has) and certificate.not_valid_after_utc > now + dt.timedelta(days=RENEW_DAYS)


def _key_bytes(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _write(path: Path, content: bytes) -> None:
    """Write a whole file or none: beside it first, 0600, then in its place."""
    beside = path.with_name(path.name + ".new")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
