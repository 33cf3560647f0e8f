"""Certificates for the servers we start ourselves: a small authority and one certificate it signed."""

from __future__ import annotations

import dataclasses
import datetime
import ipaddress
import os
from collections.abc import Sequence
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_DAY = datetime.timedelta(days=1)


@dataclasses.dataclass(frozen=True, slots=True)
class Certificate:
    """Where the parts lie (PEM), and the leaf's SHA-256 as `sha256:` and 64 lower-case hexadecimal digits."""

    cafile: Path
    certfile: Path
    keyfile: Path
    fingerprint: str


def make_certificate(directory: Path, hosts: Sequence[str], *, expired: bool = False) -> Certificate:
    """Write `ca.pem`, `cert.pem` and `key.pem` (mode 0600) into `directory`, for the host names and addresses `hosts`.

    The leaf passes Python's strict checks (3.13). It is valid for 30 days, or ended yesterday when `expired`.
    """
    now = datetime.datetime.now(datetime.UTC)
    ca_key, ca = _authority(now)
    start, end = (now - 3 * _DAY, now - _DAY) if expired else (now - _DAY, now + 30 * _DAY)
    key = ec.generate_private_key(ec.SECP256R1())
    leaf = (
        _builder(hosts[0], ca.subject, key.public_key(), start, end)
        .add_extension(x509.SubjectAlternativeName([_general_name(host) for host in hosts]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(sign=True, certify=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    found = Certificate(
        directory / "ca.pem",
        directory / "cert.pem",
        directory / "key.pem",
        f"sha256:{leaf.fingerprint(hashes.SHA256()).hex()}",
    )
    found.cafile.write_bytes(ca.public_bytes(serialization.Encoding.PEM))
    found.certfile.write_bytes(leaf.public_bytes(serialization.Encoding.PEM))
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    with open(os.open(found.keyfile, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(pem)
    return found


def _authority(now: datetime.datetime) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Postwagen throw-away authority")])
    certificate = (
        _builder("Postwagen throw-away authority", name, key.public_key(), now - 30 * _DAY, now + 60 * _DAY)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(sign=False, certify=True), critical=True)
        .sign(key, hashes.SHA256())
    )
    return key, certificate


def _builder(
    subject: str,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    start: datetime.datetime,
    end: datetime.datetime,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)]))
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(end)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _key_usage(*, sign: bool, certify: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=sign,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=certify,
        crl_sign=certify,
        encipher_only=False,
        decipher_only=False,
    )


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)
