"""`check` and `plan`: what would become of a campaign, told without an Airflow, and nothing started."""

import json
import os
import re
import sys
from contextlib import redirect_stdout
from datetime import timedelta
from functools import partial
from pathlib import Path

import click

from higgsdemo.command_line.ending import FAILED, end_in_words
from higgsdemo.command_line.options import as_json
from higgsdemo.wording import ExplainedError, align, quote

offline = click.option(
    "--offline", is_flag=True, help="List no data: the catalogue says how many files there are."
)


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@offline
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
            try:
                told.append(forecast(file, offline))
            except ExplainedError as error:  # of data; those of the file itself name it
                raise ExplainedError(f"{file}: {error}", final=error.final) from None
        if not as_json:
            print(f"{file}: {told[-1]}")

    code = max(end_in_words(partial(foresee, file)) for file in files)
    if as_json:
        print(json.dumps([one.model_dump(mode="json", exclude_none=True) for one in told], indent=2))
    return code


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--deadline", required=True, metavar="TIME", help="When all must be done: 90m, 2h, 1h30m.")
@click.option(
    "--prices",
    type=click.Path(path_type=Path),
    help="A table with the columns provider, flavor and price_per_node_hour; by default what the file says.",
)
@offline
@as_json
def plan(file: Path, deadline: str, prices: Path | None, offline: bool, as_json: bool) -> int:
    """Find the cheapest clusters for a deadline.

    For each machine type with a price, and 1 to 50 clusters, the cheapest number of nodes that do the work of
    the campaign in FILE in time. The prediction is that of `check`, without the minutes that clusters take to
    be made.
    """
    os.environ.setdefault("AIRFLOW__LOGGING__LOGGING_LEVEL", "WARNING")
    from higgsdemo.command_line.choices import choices, offers_of, read_offers
    from higgsdemo.command_line.forecast import look_ahead

    hours = re.fullmatch(r"(?:(\d{1,4})h)?(?:(\d{1,4})m)?", deadline)
    if not deadline or not hours:
        raise ValueError(
            f"--deadline {quote(deadline)}: it must be hours and minutes, such as 90m, 2h or 1h30m"
        )
    end = 3600 * int(hours[1] or 0) + 60 * int(hours[2] or 0)
    with redirect_stdout(sys.stderr):
        known = look_ahead(file, offline)
    offers = read_offers(prices) if prices else offers_of(known.clusters)
    if not offers:
        raise ValueError(f"{prices or file}: no flavor has a price: set price_per_node_hour or --prices")
    found = choices(known, offers, end)
    if as_json:
        print(json.dumps([one.model_dump(mode="json") for one in found], indent=2))
    elif found:
        rows = [["", "provider", "flavor", "clusters", "nodes of each", "time", "price"]]
        for one in found:
            time = str(timedelta(seconds=round(one.seconds)))
            numbers = [str(one.clusters), str(one.nodes), time, f"{one.price:.2f}"]
            rows.append(["best" if one is found[0] else "", one.provider, one.flavor, *numbers])
        print(align(rows))
    if not found:
        print(f"no choice meets a deadline of {deadline}: allow more time", file=sys.stderr)
    return 0 if found else FAILED
