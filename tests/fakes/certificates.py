"""A certification authority for tests, and the files that it signs."""

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from msgspec import Struct

_DAY: Final = timedelta(days=1)


class Files(Struct, frozen=True):
    """A certificate and its key, in files."""

    certificate: str
    key: str


class Authority:
    """Signs certificates with its own, which is in the file ``path``."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder
        self._name = name
        self._key = ec.generate_private_key(ec.SECP256R1())
        usage = x509.KeyUsage(
            digital_signature=False, content_commitment=False, key_encipherment=False, data_encipherment=False,
            key_agreement=False, key_cert_sign=True, crl_sign=True, encipher_only=False, decipher_only=False,
        )  # fmt: skip
        signed = (
            _builder(name, name, self._key.public_key(), days=1)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(usage, critical=True)
            .sign(self._key, hashes.SHA256())
        )
        path = folder / f"{name}.crt"
        path.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
        self.path = str(path)

    def sign(self, name: str, *, host: str = "127.0.0.1", days: int = 1) -> Files:
        """Return a certificate for ``name`` at ``host`` that ends in so many days; less than 0: it has ended."""
        key = ec.generate_private_key(ec.SECP256R1())
        alternative = x509.IPAddress(ip_address(host)) if host[0].isdigit() else x509.DNSName(host)
        signed = (
            _builder(name, self._name, key.public_key(), days=days)
            .add_extension(x509.SubjectAlternativeName([alternative]), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        certificate, secret = (self._folder / f"{self._name}-{name}{days}.{end}" for end in ("crt", "key"))
        certificate.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
        secret.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        secret.chmod(0o600)
        return Files(str(certificate), str(secret))


def _builder(name: str, issuer: str, key: ec.EllipticCurvePublicKey, *, days: int) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - 9 * _DAY)
        .not_valid_after(now + days * _DAY)
    )
