"""An empty run's folder that is followed, and the keys that are read of it."""

import json

import pytest

from followed_folder import CountedStore, Folder
from higgsdemo.page import follower
from s3_server import Bucket


@pytest.fixture
def folder(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> Folder:
    monkeypatch.setenv("AIRFLOW_CONN_HIGGS_S3", json.dumps(bucket.connection()))
    for name, seconds in {"PAUSE": 0.05, "PAUSE_ENDED": 0.05, "IDLE": 0.5}.items():
        monkeypatch.setattr(follower, f"{name}_SECONDS", seconds)
    return Folder(bucket)


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setattr(CountedStore, "reads", [])
    monkeypatch.setattr(follower, "ObjectStore", CountedStore)
    return CountedStore.reads
