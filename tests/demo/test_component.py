"""A component of Airflow is loaded first, and begins when its database is there."""

import gc
import sys
from pathlib import Path

import pytest
from airflow.api_fastapi.execution_api.versions import bundle
from airflow.sdk.api.datamodels._generated import API_VERSION

from demo import component


@pytest.mark.parametrize("before", [None, "that of an earlier version"])
def test_a_component_begins_once_its_database_is_made(
    before: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark, begun = tmp_path / "migrated-for", []
    if before:
        mark.write_text(before)
    monkeypatch.setattr(sys, "argv", sys.argv[:])
    monkeypatch.setattr(bundle, "versions", bundle.versions)
    monkeypatch.setitem(component.NEEDED, "triggerer", ("json",))
    monkeypatch.setattr("time.sleep", lambda _seconds: mark.write_text("this version"))
    monkeypatch.setattr("airflow.__main__.main", lambda: begun.append((mark.read_text(), *sys.argv)))
    component.main("triggerer", str(mark), "this version", "--skip-serve-logs")
    gc.unfreeze()
    assert begun == [("this version", "airflow", "triggerer", "--skip-serve-logs")]
    assert API_VERSION in [version.value for version in bundle.versions]
    assert len(bundle.versions) == 2, "routes for tasks of older Airflows take seconds of each start"
