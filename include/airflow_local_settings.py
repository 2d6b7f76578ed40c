"""What Airflow imports first: let its processes wait for each other's writes to SQLite.

SQLite refuses at once, whatever its timeout, a write in a transaction that has read before another process
wrote (https://www.sqlite.org/rescode.html#busy_snapshot). Savepoints begin such transactions, and `airflow
backfill create` failed for it beside services at work. One that begins as a writer waits for its turn.
"""

from typing import Any

from sqlalchemy import Connection, event
from sqlalchemy.engine import Engine

__all__: list[str] = []
"""No setting of Airflow is replaced."""


@event.listens_for(Engine, "savepoint")
def begin_as_writer(connection: Connection, name: str) -> None:
    """Take SQLite's lock before a savepoint that is in no transaction."""
    driver: Any = connection.connection.driver_connection
    if connection.dialect.name == "sqlite" and not driver.in_transaction:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
