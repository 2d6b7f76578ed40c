"""The demo campaign in a bucket of the test, with connections of all kinds."""

import json
from pathlib import Path
from typing import Any

import pytest

from higgsdemo.campaign import Campaign, parse_campaign
from planning import CONNECTIONS
from s3_server import Bucket
from stores import connect


@pytest.fixture
def connections(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the connections of the table."""
    connect(monkeypatch, **CONNECTIONS["connections"])


@pytest.fixture
def document(
    repository: Path, bucket: Bucket, connections: None, monkeypatch: pytest.MonkeyPatch
) -> dict[str, Any]:
    """Return the demo campaign's file, with its output in a bucket that is there."""
    connect(monkeypatch, higgs_s3=bucket.connection() | {"password": "a-secret-of-the-tests"})
    document: dict[str, Any] = json.loads((repository / "include/config/demo-local.json").read_text())
    document["storage"]["output"] = f"s3://{bucket.name}"
    document["at_trigger"] |= {
        "connections": ["google_cloud_default", "kubernetes_default"],
        "images": ["registry.example.org/*"],
        "flavors": ["n1-*"],
        "max_nodes": 10,
    }
    return document


@pytest.fixture
def campaign(document: dict[str, Any]) -> Campaign:
    """Return that campaign."""
    return parse_campaign(document, "demo")
