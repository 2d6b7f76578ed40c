"""Airflow's processes wait for each other's writes to SQLite, where they would fail at once."""

import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

import airflow_local_settings


def test_nobody_writes_between_what_a_savepoint_reads_and_what_it_writes(tmp_path: Path) -> None:
    assert airflow_local_settings.__all__ == []
    engine = create_engine(f"sqlite:///{tmp_path / 'airflow.db'}")
    other = sqlite3.connect(tmp_path / "airflow.db", timeout=0, isolation_level=None)
    other.execute("PRAGMA journal_mode = wal")
    other.execute("CREATE TABLE run (id INT)")
    with engine.connect() as connection, connection.begin(), connection.begin_nested():
        assert connection.execute(text("SELECT count(*) FROM run")).scalar() == 0
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("INSERT INTO run VALUES (1)")
        connection.execute(text("INSERT INTO run VALUES (2)"))
    assert other.execute("INSERT INTO run VALUES (3)").rowcount == 1
