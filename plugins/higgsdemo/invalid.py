"""A campaign file that cannot be read, shown as an import error of its own.

Airflow files an exception of a DAG file under that file and takes all its DAGs out of service. Here every
campaign comes from the same DAG file, so one typing mistake would stop them all. A DAG that fails when it is
serialized is filed alone, under its own location: the campaign's file.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from airflow.exceptions import SerializationError
from airflow.sdk import DAG

from higgsdemo.campaign import CampaignError


class InvalidCampaign(DAG):
    """Stands for a campaign that cannot be built, and raises its error when it is serialized."""

    def __init__(self, path: Path, error: CampaignError) -> None:
        super().__init__(dag_id=path.stem, schedule=None)
        self.error = error
        self.location = str(path)
        with self:  # registers it, as it does any other DAG
            pass

    @property
    def relative_fileloc(self) -> str:
        """The campaign's file, whatever file Airflow found this DAG in."""
        return self.location

    @relative_fileloc.setter
    def relative_fileloc(self, found_in: str) -> None:
        pass

    def get_serialized_fields(self) -> Any:  # type: ignore[override]  # it needs this DAG's error
        """Raise the campaign's error, of the one kind that Airflow shows as it is."""
        raise SerializationError(str(self.error)) from None
