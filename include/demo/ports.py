"""The TCP ports of the local services: the usual ones, or others where somebody else listens on them."""

import fcntl
import os
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict

HOST = "127.0.0.1"


class Ports(BaseModel):
    """TCP ports on the loopback interface. The defaults are taken when nobody else has them."""

    model_config = ConfigDict(frozen=True)

    ui: int = 8080
    s3: int = 9000
    localkube: int = 7443

    def free(self) -> Self:
        """The same ports, with another one for each that somebody listens on."""
        taken: set[int] = set()
        chosen: dict[str, int] = {}
        for name, port in self.model_dump().items():
            chosen[name] = port if port not in taken and _is_free(port) else _free_port(taken)
            taken.add(chosen[name])
        return self.model_copy(update=chosen)


@contextmanager
def ports_to_choose() -> Iterator[None]:
    """Keep another checkout of this user from choosing ports until those chosen here are listened on."""
    with Path(tempfile.gettempdir(), f"higgs-demo-{os.getuid()}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _is_free(port: int) -> bool:
    with socket.socket() as caller:
        if caller.connect_ex((HOST, port)) == 0:
            return False
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, port))
        except OSError:
            return False
    return True


def _free_port(taken: set[int]) -> int:
    while True:
        with socket.socket() as listener:
            listener.bind((HOST, 0))
            port: int = listener.getsockname()[1]
        if port not in taken:
            return port
