"""How pods reach the Redis server that gets a live copy of their results, out of an Airflow connection.

Airflow itself never talks to it: the connection's host is the one that pods see.
"""

from __future__ import annotations

from urllib.parse import quote

from airflow.sdk import BaseHook

from higgsdemo.run import Run
from higgsdemo.storage.connections import StorageError

LIVE_PORT = 6379


def live_environment(run: Run) -> dict[str, str]:
    """Return the variables of the pod contract that name server and hash; none for a run without a copy.

    LIVE_URL may hold a password, so they belong in the run's Secret.

    :raises StorageError: when the connection is no Redis connection.
    """
    if run.live is None:
        return {}
    connection = BaseHook.get_connection(run.live)
    if connection.conn_type != "redis" or not connection.host:
        raise StorageError(
            f"the Airflow connection {run.live!r} (storage.live) has the type {connection.conn_type!r} and "
            f"the host {connection.host!r}; it must be of the type 'redis' and have a host"
        )
    extra = connection.extra_dejson
    scheme = "rediss" if extra.get("ssl") else "redis"
    user, password = quote(connection.login or "", safe=""), quote(connection.password or "", safe="")
    login = f"{user}:{password}@" if user or password else ""
    address = f"{connection.host}:{connection.port or LIVE_PORT}"
    return {
        "LIVE_URL": f"{scheme}://{login}{address}/{extra.get('db') or 0}",
        "LIVE_KEY": f"{run.campaign}/{run.name}",
    }
