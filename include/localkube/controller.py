"""The loop all controllers share: note what changed, work it off once, try again later when it fails."""

import asyncio
import logging
from abc import ABC, abstractmethod

from localkube.errors import ApiError
from localkube.objects import Key
from localkube.store import Store

log = logging.getLogger(__name__)


class Controller(ABC):
    """Works off the keys enqueued, each once however often it was; subclasses say what `sync` does.

    `sync` does not await, so what it writes is committed together.
    """

    period = 0.0  # seconds to gather more changes before the next round

    def __init__(self, store: Store) -> None:
        self._store = store
        self._due: dict[Key, None] = {}
        self._wake = asyncio.Event()

    def enqueue(self, key: Key, after: float = 0.0) -> None:
        if after > 0:
            asyncio.get_running_loop().call_later(after, self.enqueue, key)
            return
        self._due[key] = None
        self._wake.set()

    @abstractmethod
    def sync(self, key: Key) -> None:
        """Bring one object nearer to what it asks for."""

    async def run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            due, self._due = self._due, {}
            for key in due:
                try:
                    self.sync(key)
                except ApiError as error:
                    log.info("%s of %s is tried again: %s", type(self).__name__, key, error)
                    self.enqueue(key, after=1.0)
                except Exception:
                    log.exception("%s failed on %s", type(self).__name__, key)
                    self.enqueue(key, after=5.0)
                await asyncio.sleep(0)
            await asyncio.sleep(self.period)
