"""The certificate authority of one localkube, made once and kept in its state directory."""

import os
import ssl
from pathlib import Path

import trustme


def server_context(state: Path) -> ssl.SSLContext:
    """Return TLS for the loopback names, from ca.crt, server.crt and server.key in the state directory."""
    if not all((state / name).exists() for name in ("ca.crt", "server.crt", "server.key")):
        authority = trustme.CA()  # its key is discarded after it has signed the one certificate
        server = authority.issue_cert("localhost", "127.0.0.1", "::1")
        write_private(state / "server.key", server.private_key_pem.bytes())
        write_private(state / "server.crt", server.cert_chain_pems[0].bytes())
        write_private(state / "ca.crt", authority.cert_pem.bytes())
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(state / "server.crt", state / "server.key")
    return context


def write_private(path: Path, data: bytes) -> None:
    """Replace a file atomically, readable by its owner alone."""
    draft = path.with_name(f".{path.name}.new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(data)
    draft.replace(path)
