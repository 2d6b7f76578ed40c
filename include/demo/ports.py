"""The TCP ports of the local services: the usual ones, or others where somebody else listens on them."""

import os
import random
import socket
import tempfile
from collections.abc import Callable, Container
from contextlib import AbstractContextManager, suppress
from ipaddress import IPv4Address
from pathlib import Path
from typing import Annotated, Self

from annotated_types import Ge, Le
from pydantic import BaseModel, ConfigDict

from demo.files import locked
from higgsdemo.wording import quote

HOST, ALL_HOSTS = "127.0.0.1", "0.0.0.0"
Port = Annotated[int, Ge(1), Le(65535)]


class Ports(BaseModel):
    """TCP ports on the loopback interface; the defaults unless somebody else has them."""

    model_config = ConfigDict(frozen=True)

    ui: Port = 8080
    s3: Port = 9000
    localkube: Port = 7443

    def free(self, s3_host: str = HOST) -> Self:
        """Return the ports with another one for each that is taken, also at the address of S3."""
        taken: set[int] = set()
        chosen: dict[str, int] = {}
        for name, port in self.model_dump().items():
            hosts = {HOST, s3_host} if name == "s3" else {HOST}
            free = port not in taken and all(_is_free(port, host) for host in hosts)
            chosen[name] = port if free else free_port(taken)
            taken.add(chosen[name])
        return self.model_copy(update=chosen)


def ports_to_choose(wait: Callable[[], object] = lambda: None) -> AbstractContextManager[None]:
    """Keep this user's other checkouts from choosing ports until the ones chosen here are in use."""
    return locked(Path(tempfile.gettempdir(), f"higgs-demo-{os.getuid()}.lock"), wait)


def check_address(name: str, host: str) -> None:
    """Raise ValueError when a server on this machine cannot listen on `host`."""
    if not _can_listen(host):
        raise ValueError(
            f"{name} is {quote(host)}: it must be an IPv4 address of this machine that pods reach, such as "
            f"that of a bridge (`ip address` lists them), or {ALL_HOSTS} for all of them"
        )


def free_port(taken: Container[int] = ()) -> int:
    """Return a port of the loopback interface that nobody has, of those that no client is ever given."""
    while (port := random.randrange(20_000, 32_768)) in taken or not _is_free(port):  # Linux gives the rest
        pass
    return port


def outward_address() -> str:
    """Return this machine's address as others see it, judging by its routes; nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as caller:
        try:
            caller.connect(("192.0.2.1", 9))
        except OSError:  # no network
            return HOST
        address: str = caller.getsockname()[0]
        return address


def _is_free(port: int, host: str = HOST) -> bool:
    with socket.socket() as caller:
        if caller.connect_ex((host, port)) == 0:
            return False
    return _can_listen(host, port)


def _can_listen(host: str, port: int = 0) -> bool:
    with suppress(OSError, ValueError), socket.create_server((str(IPv4Address(host)), port)):
        return True
    return False
