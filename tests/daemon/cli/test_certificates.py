"""Authorities that are looked up one by one are trusted just as those of a bundle."""

import os
import ssl
import subprocess
from pathlib import Path

import pytest

from jitney.daemon.cli.certificates import look_up_lazily


@pytest.fixture
def authority(tmp_path: Path) -> Path:
    """Return a folder of certificates, indexed by hash, with one authority that is also the server's own."""
    folder = tmp_path / "certs"
    folder.mkdir()
    request = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost"
    names = ["-keyout", str(tmp_path / "key.pem"), "-out", str(folder / "authority.pem")]
    subprocess.run(["openssl", *request.split(), *names], check=True, capture_output=True, timeout=30)  # noqa: S603, S607
    subprocess.run(["openssl", "rehash", str(folder)], check=True, capture_output=True, timeout=30)  # noqa: S603, S607
    return folder


def shake_hands(folder: Path, client: ssl.SSLContext) -> None:
    """Connect a client to a server with the authority's certificate; raises SSLCertVerificationError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "authority.pem", folder.parent / "key.pem")
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = client.wrap_bio(down, up, server_hostname="localhost")
    theirs = context.wrap_bio(up, down, server_side=True)
    for side in (ours, theirs, ours, theirs):
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            continue
    assert ours.version()


def test_an_indexed_folder_is_trusted_without_a_bundle(authority: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    monkeypatch.setenv("SSL_CERT_DIR", str(authority))
    look_up_lazily(os.environ)
    context = ssl.create_default_context()
    assert context.cert_store_stats()["x509_ca"] == 0
    shake_hands(authority, context)
    assert context.cert_store_stats()["x509_ca"] == 1
    monkeypatch.setenv("SSL_CERT_FILE", "restored")


def test_an_authority_that_is_not_there_is_not_trusted(
    authority: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "empty").mkdir()
    monkeypatch.setenv("SSL_CERT_FILE", "")
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path / "empty"))
    with pytest.raises(ssl.SSLCertVerificationError):
        shake_hands(authority, ssl.create_default_context())


def test_a_bundle_that_somebody_names_stays() -> None:
    environ = {"SSL_CERT_FILE": "/my/bundle.pem"}
    look_up_lazily(environ)
    assert environ == {"SSL_CERT_FILE": "/my/bundle.pem"}


@pytest.mark.parametrize("name", ["missing", "plain"])
def test_a_folder_without_an_index_changes_nothing(tmp_path: Path, name: str) -> None:
    (tmp_path / "plain").mkdir()
    (tmp_path / "plain" / "authority.pem").touch()
    environ = {"SSL_CERT_DIR": str(tmp_path / name)}
    look_up_lazily(environ)
    assert "SSL_CERT_FILE" not in environ
