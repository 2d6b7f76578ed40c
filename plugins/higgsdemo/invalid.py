"""A campaign file that cannot be read, as an import error of its own.

Airflow attributes an exception to the DAG file and disables all its DAGs. Every campaign comes from the same
DAG file, so one typing mistake would stop them all. A DAG that fails when it is serialized fails alone, under
its own location: the campaign's file.
"""

import hashlib
import os
from pathlib import Path
from typing import Any

from airflow.exceptions import SerializationError
from airflow.sdk import DAG

from higgsdemo.campaign import CampaignError


class InvalidCampaign(DAG):
    """A campaign that cannot be built, which raises its error when it is serialized."""

    def __init__(self, path: Path, error: Exception) -> None:
        name = os.fsencode(path)  # a database cannot store a name that is not UTF-8
        # Not the file's own id: a DAG of that id may remain until its runs have ended.
        super().__init__(dag_id=f"invalid-{hashlib.sha256(name).hexdigest()[:16]}", schedule=None)
        self.location = name.decode(errors="replace")
        said = str(error) if isinstance(error, CampaignError) else f"{path}: {type(error).__name__}: {error}"
        self.error = said.encode(errors="replace").decode()
        with self:  # registers it like any other DAG
            pass

    @property
    def relative_fileloc(self) -> str:
        """The campaign's file, whatever file Airflow found this DAG in."""
        return self.location

    @relative_fileloc.setter
    def relative_fileloc(self, found_in: str) -> None:
        pass

    def get_serialized_fields(self) -> Any:  # type: ignore[override]  # it needs this DAG's error
        """Raise the campaign's error, as the one kind that Airflow shows verbatim."""
        raise SerializationError(self.error) from None
