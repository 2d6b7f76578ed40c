"""Prints a `.env` for docker-compose.yaml: a random secret for each name in `.env.example`."""

import base64
import os
import secrets
import stat
import sys
from pathlib import Path

EXAMPLE = Path(__file__).resolve().parents[1] / ".env.example"


def main() -> None:
    """Print it; a file that takes it is from then on for its owner's eyes alone."""
    out = sys.stdout.fileno()
    if stat.S_ISREG(os.fstat(out).st_mode):
        os.fchmod(out, 0o600)
    for line in EXAMPLE.read_text().splitlines():
        name, is_secret, _ = line.partition("=")
        if is_secret:
            print(f"{name}={_fernet_key() if name == 'FERNET_KEY' else secrets.token_hex(24)}")


def _fernet_key() -> str:
    """Return 32 random bytes in the alphabet that Fernet wants."""
    return base64.urlsafe_b64encode(os.urandom(32)).decode()


if __name__ == "__main__":
    main()
