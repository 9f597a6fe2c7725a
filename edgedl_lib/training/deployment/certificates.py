"""Certificates and keys for one deployment, made when it starts and gone with its folder.

An authority of our own signs the server's certificate; whoever has the authority's certificate can check that it talks
to our server.  Every node has a key pair on the curve P-384; the server lets in only nodes whose public key it knows.
"""

from __future__ import annotations

import datetime
import ipaddress
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

VALID = datetime.timedelta(days=1)
LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class ServerFiles:
    """Paths of what a server with TLS needs: the authority's certificate, its own, and its own key."""

    authority: Path
    certificate: Path
    key: Path


@dataclass(frozen=True)
class NodeKeys:
    """Paths of a node's private and public key, in OpenSSH's formats."""

    private: Path
    public: Path


def server_files(folder: Path) -> ServerFiles:
    """Make an authority and a certificate for this machine's loopback address."""
    authority_key, server_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    issuer = _name("edgedl authority")
    authority = _certificate(issuer, issuer, authority_key.public_key())
    authority = authority.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address(LOOPBACK))]
    server = _certificate(_name("localhost"), issuer, server_key.public_key())
    server = server.add_extension(x509.SubjectAlternativeName(names), critical=False)
    files = ServerFiles(folder / "authority.pem", folder / "server.pem", folder / "server.key")
    for path, certificate in ((files.authority, authority), (files.certificate, server)):
        path.write_bytes(certificate.sign(authority_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    _write_private(files.key, server_key, serialization.PrivateFormat.PKCS8)
    return files


def node_keys(folder: Path, name: str) -> NodeKeys:
    """Make a key pair for one node."""
    key = ec.generate_private_key(ec.SECP384R1())
    keys = NodeKeys(folder / f"{name}.key", folder / f"{name}.pub")
    _write_private(keys.private, key, serialization.PrivateFormat.OpenSSH)
    formats = serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
    keys.public.write_bytes(key.public_key().public_bytes(*formats))
    return keys


def _write_private(path: Path, key, form: serialization.PrivateFormat) -> None:
    path.touch(mode=0o600)
    path.write_bytes(key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()))


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _certificate(subject: x509.Name, issuer: x509.Name, key) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key)
    builder = builder.serial_number(x509.random_serial_number())
    return builder.not_valid_before(now - datetime.timedelta(minutes=5)).not_valid_after(now + VALID)
