"""A real Redis server (Debian's `redis-server`) on a free port, for the tests of the live copy."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import ConnectionError as NoConnection

from demo.ports import free_port
from waiting import eventually

PASSWORD = "a/pass:word@of the tests"


class RedisServer:
    """The server's process, its port, and a client."""

    def __init__(self, command: str, folder: Path) -> None:
        self.port = free_port()
        arguments = ("--bind", "127.0.0.1", "--save", "", "--requirepass", PASSWORD, "--dir", str(folder))
        self.process = subprocess.Popen(
            [command, "--port", str(self.port), *arguments], stdout=subprocess.DEVNULL
        )
        self.client = Redis(port=self.port, password=PASSWORD, decode_responses=True)
        eventually(self._answers, "redis-server answers", patience=20)

    def stop(self) -> None:
        """End the server."""
        self.client.close()
        self.process.kill()
        self.process.wait()

    def _answers(self) -> bool:
        try:
            return bool(self.client.ping())
        except NoConnection:
            return False


@pytest.fixture
def redis_server(tmp_path: Path) -> Iterator[RedisServer]:
    """Yield a server of the test's own."""
    server = RedisServer(redis_command(), tmp_path)
    yield server
    server.stop()


def redis_command() -> str:
    """Return the path of redis-server; skips the test where there is none."""
    command = shutil.which("redis-server")
    if command is None:
        pytest.skip("redis-server is not installed")
    return command
