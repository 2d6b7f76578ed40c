"""Give pods the Redis server for live copies of their results, from an Airflow connection.

Airflow itself never talks to it: the connection's host is the one that pods see.
"""

from urllib.parse import quote

from higgsdemo.run import Run
from higgsdemo.storage.connections import StorageError
from higgsdemo.storage.named_connection import REDIS, UnfitConnection, find_connection

LIVE_PORT = 6379


def live_environment(run: Run) -> dict[str, str]:
    """Return the variables of the pod contract that name server and hash; none for a run without a copy.

    LIVE_URL may hold a password, so they belong in the run's Secret.

    :raises StorageError: when the connection is not a Redis connection.
    """
    if run.live is None:
        return {}
    try:
        connection = find_connection(run.live, REDIS)
        if not connection.host:
            raise UnfitConnection("it has no host")
    except UnfitConnection as error:
        raise StorageError(
            f"the Airflow connection {run.live!r} (storage.live) cannot be used: {error}"
        ) from None
    extra = connection.extra_dejson
    scheme = "rediss" if extra.get("ssl") else "redis"
    user, password = quote(connection.login or "", safe=""), quote(connection.password or "", safe="")
    login = f"{user}:{password}@" if user or password else ""
    address = f"{connection.host}:{connection.port or LIVE_PORT}"
    return {
        "LIVE_URL": f"{scheme}://{login}{address}/{extra.get('db') or 0}",
        "LIVE_KEY": f"{run.campaign}/{run.name}",
    }
