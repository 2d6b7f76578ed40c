"""`check`: what would become of a campaign's file, told without an Airflow that runs, and nothing started."""

import json
import os
import sys
from contextlib import redirect_stdout
from functools import partial
from pathlib import Path

import click

from higgsdemo.command_line.ending import carry_out
from higgsdemo.command_line.options import as_json


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--offline", is_flag=True, help="List no data: the catalogue says how many files there are.")
@as_json
def check(files: tuple[Path, ...], offline: bool, as_json: bool) -> int:
    """Check campaign files, and predict what a run takes.

    Each file of FILES is read, its data are listed, and nothing is started. No Airflow needs to run:
    connections are variables as Airflow knows them, AIRFLOW_CONN_<ID>.
    """
    os.environ.setdefault("AIRFLOW__LOGGING__LOGGING_LEVEL", "WARNING")
    from higgsdemo.command_line.forecast import Forecast, forecast

    told: list[Forecast] = []

    def foresee(file: Path) -> None:
        with redirect_stdout(sys.stderr):  # where the hooks of Airflow's providers shall log
            told.append(forecast(file, offline))
        if not as_json:
            print(f"{file}: {told[-1]}")

    code = max(carry_out(partial(foresee, file)) for file in files)
    if as_json:
        print(json.dumps([one.model_dump(mode="json", exclude_none=True) for one in told], indent=2))
    return code
