"""A copy of each result in a Redis hash, for live displays: the plot of 2019 was drawn from one.

Where Redis is slow, full or gone, the pod says so once and goes on without.
"""

from collections.abc import Callable

SECONDS = 2.0  # to connect, and to answer: what a pod may lose to a server that is gone
KEPT_SECONDS = 7 * 24 * 3600  # after the last result, so that old runs leave the server by themselves

Report = Callable[[str], None]


class LiveCopy:
    """The hash `key` of the Redis server at `url`; without a URL no copy is made."""

    def __init__(self, url: str | None, key: str, report: Report) -> None:
        self._url = url
        self._key = key
        self._report = report

    def tell(self, field: str, document: bytes) -> None:
        """Copy a result under the URL of its shard."""
        if self._url is None:
            return
        from redis import Redis, RedisError
        from redis.backoff import NoBackoff
        from redis.retry import Retry

        try:
            with Redis.from_url(
                self._url,
                socket_connect_timeout=SECONDS,
                socket_timeout=SECONDS,
                retry=Retry(NoBackoff(), 0),
            ) as server:
                server.hset(self._key, field, document)
                server.expire(self._key, KEPT_SECONDS)
        except (RedisError, ValueError, OSError) as error:
            self._report(f"no more live copies: {type(error).__name__} of Redis")  # its text may name the URL
            self._url = None
