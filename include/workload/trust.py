"""Certificates of a site's own authority, for stores that no public authority vouches for.

The client of the stores trusts only what SSL_CERT_FILE names, as OpenSSL's tools do. A pod cannot mount
its site's files, so it gets the certificates' text, and adds them to those of its image.
"""

import ssl
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile

from workload.errors import Misconfigured

VARIABLE = "CA_CERTIFICATES"


@contextmanager
def trusting(environ: MutableMapping[str, str]) -> Iterator[None]:
    """Trust the PEM certificates of CA_CERTIFICATES, if there are any, besides those of the system.

    :raises Misconfigured: when the variable holds no certificates.
    """
    own = environ.get(VARIABLE, "")
    if not own:
        yield
        return
    try:
        ssl.create_default_context(cadata=own)
    except ssl.SSLError as error:
        raise Misconfigured(f"{VARIABLE} has no PEM certificates: {error.reason or error}") from error
    usual = ssl.get_default_verify_paths().cafile  # SSL_CERT_FILE, or the system's
    with NamedTemporaryFile("w", prefix="trusted-", suffix=".pem") as bundle:
        bundle.write(f"{Path(usual).read_text() if usual else ''}\n{own}\n")
        bundle.flush()
        environ["SSL_CERT_FILE"] = bundle.name
        yield
