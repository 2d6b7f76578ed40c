"""What pods are told of the Redis server, out of an Airflow connection."""

import json
from typing import Any

import pytest

from higgsdemo.storage.connections import StorageError, holds_secrets, live_environment
from planned_runs import planned

RUN = planned(run={"live": "copies"}).run


def given(monkeypatch: pytest.MonkeyPatch, **connection: Any) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_COPIES", json.dumps({"conn_type": "redis", **connection}))


@pytest.mark.parametrize(
    ("connection", "url"),
    [
        ({"host": "redis"}, "redis://redis:6379/0"),
        ({"host": "10.0.0.7", "port": 7000, "extra": {"db": 3}}, "redis://10.0.0.7:7000/3"),
        ({"host": "r", "password": "a/b:c@d"}, "redis://:a%2Fb%3Ac%40d@r:6379/0"),
        ({"host": "r", "login": "me", "password": "p", "extra": {"ssl": True}}, "rediss://me:p@r:6379/0"),
    ],
)
def test_the_connection_becomes_a_url(
    monkeypatch: pytest.MonkeyPatch, connection: dict[str, Any], url: str
) -> None:
    given(monkeypatch, **connection)
    assert live_environment(RUN) == {"LIVE_URL": url, "LIVE_KEY": "higgs-full/20190521t090000-ab12"}


def test_the_url_is_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    given(monkeypatch, host="redis")
    assert holds_secrets(live_environment(RUN))


def test_a_run_without_a_live_copy_needs_no_connection() -> None:
    assert live_environment(planned().run) == {}


def test_a_connection_of_another_type_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    given(monkeypatch, conn_type="aws", password="its secret")
    with pytest.raises(StorageError, match=r"'copies' .* must be of the type 'redis'") as refused:
        live_environment(RUN)
    assert "its secret" not in str(refused.value)
