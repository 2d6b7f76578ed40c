"""The clouds, served on local ports, and no waiting between two polls."""

from collections.abc import Iterator

import pytest
from botocore.loaders import create_loader

from clouds.amazon import Amazon
from clouds.contract import Cloud, OnEks, OnGke
from clouds.gate import Gate
from clouds.google import Google, Tokens
from higgsdemo.clusters.base import Provider

LOADER = create_loader()


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Provider, "poll_seconds", 0.02)
    monkeypatch.setattr("botocore.session.create_loader", lambda *_: LOADER)  # it reads EKS's model but once


@pytest.fixture
def amazon(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> Iterator[Amazon]:
    amazon = Amazon(gate)
    monkeypatch.setenv("AIRFLOW_CONN_AMAZON", amazon.connection())
    yield amazon
    amazon.stop()


@pytest.fixture
def google(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> Iterator[Google]:
    with Tokens() as tokens:
        google = Google(gate, gate.state, tokens)
        monkeypatch.setenv("AIRFLOW_CONN_GOOGLE", google.connection())
        yield google
        google.stop()


@pytest.fixture(params=["gke", "eks"])
def cloud(request: pytest.FixtureRequest) -> Cloud:
    """Each cloud in turn, as the tests of every provider see it."""
    if request.param == "gke":
        return OnGke(request.getfixturevalue("google"))
    return OnEks(request.getfixturevalue("amazon"))
