"""Certificates of authorities, looked up one by one where the system allows it."""

import re
import ssl
from collections.abc import MutableMapping
from pathlib import Path
from typing import Final

_BUNDLE: Final = "SSL_CERT_FILE"
_HASHED: Final = re.compile(r"[0-9a-f]{8}\.\d+")


def look_up_lazily(environ: MutableMapping[str, str]) -> None:
    """Let OpenSSL find an authority in the folder of certificates instead of reading all of them beforehand.

    Reading the whole bundle takes 30 ms and more than a MB for each TLS context, on a Pi several times as long, and
    aiohttp makes two when it is imported, whether TLS is spoken or not. Who names a bundle in the environment keeps
    it, and where the folder is not indexed by hash (``openssl rehash``) nothing changes.
    """
    if _BUNDLE in environ:
        return
    folder = environ.get("SSL_CERT_DIR") or ssl.get_default_verify_paths().openssl_capath
    try:
        indexed = any(_HASHED.fullmatch(path.name) for path in Path(folder).iterdir())
    except OSError:
        return
    if indexed:
        environ[_BUNDLE] = ""
