"""`new`: ask five questions, and write a campaign that runs."""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click
from pydantic import TypeAdapter, ValidationError

from higgsdemo.campaign import config_folder, dag_id_problem, parse_campaign
from higgsdemo.campaign.fields import BucketUrl, Connection, DatasetText, Image
from higgsdemo.campaign.problems import problems_of
from higgsdemo.run import dns_label
from higgsdemo.wording import quote

LOCAL = "local"
REPOSITORY = Path(__file__).parents[3]


class Answer(click.ParamType[str]):
    """A text that `problem` finds nothing wrong with; a prompt asks for another one."""

    name = "text"

    def __init__(self, problem: Callable[[str], str | None]) -> None:
        self._problem = problem

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the text itself."""
        if problem := self._problem(value):
            self.fail(f"it {problem}", param, ctx)
        return value


def _name_problem(name: str) -> str | None:
    file: Path = click.get_current_context().params["folder"] / f"{name}.json"
    return dag_id_problem(name) or (
        f"is the name of {file}, which is there already" if file.exists() else None
    )


def _data_problem(data: str) -> str | None:
    return next(filter(None, (_problem(DatasetText, one) for one in _parts(data))), None)


def _words_problem(words: str) -> str | None:
    image, _, command = words.strip().partition(" ")
    if command:
        return _problem(Image, image)
    return f"is {quote(words)}, without a command: name the image, then what runs in it for each file"


def _problem(kind: Any, text: str) -> str | None:
    try:
        TypeAdapter(kind).validate_python(text)
    except ValidationError as error:
        return problems_of(error)[0].text
    return None


OF_OUR_IMAGE = Answer(partial(_problem, Image))


@click.command()
@click.option(
    "--name",
    type=Answer(_name_problem),
    prompt="Name of the campaign",
    default="mine",
    help="Its file's name, and its DAG's id.",
)
@click.option(
    "--data",
    type=Answer(_data_problem),
    prompt="Its data: a folder or file as URL, or a dataset's name; several with commas",
    default="Simulated_Run2012B_DoubleMuParked",
    help="URLs, or datasets of the catalogue.",
)
@click.option(
    "--run",
    "words",
    type=Answer(_words_problem),
    prompt="Image and command, as after `docker run`",
    default='higgsdemo/skim:1 python skim.py "$INPUT_FILE" "$OUTPUT_DIR"',
    help="An image, and its command on $INPUT_FILE and $OUTPUT_DIR.",
)
@click.option(
    "--output",
    type=Answer(partial(_problem, BucketUrl)),
    prompt="Where results go",
    default="s3://higgs-results",
    help="A bucket, s3:// or gs://.",
)
@click.option(
    "--cluster",
    type=Answer(partial(_problem, Connection)),
    prompt=f"Airflow connection to your cluster, or {LOCAL} for the demo's",
    default=LOCAL,
    help=f"An Airflow connection of the type kubernetes, or {LOCAL}.",
)
@click.option(
    "--sidecar", type=OF_OUR_IMAGE, help="Our image in your registry; needed on a cluster of yours."
)
@click.option(
    "--folder",
    is_eager=True,  # the name must be new there
    default=lambda: config_folder(REPOSITORY / "dags"),
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Where the file goes; by default where Airflow looks for it.",
)
def new(
    name: str, data: str, words: str, output: str, cluster: str, sidecar: str | None, folder: Path
) -> None:
    """Ask five questions, and write a campaign that runs."""
    file = folder / f"{name}.json"
    if cluster != LOCAL and not sidecar:
        asked = "Our image in your registry (docker build --push include/workload)"
        sidecar = click.prompt(asked, type=OF_OUR_IMAGE)
    document = _campaign(name, _parts(data), words, output, cluster, sidecar)
    parse_campaign(document, str(file))
    try:
        with file.open("x") as opened:
            opened.write(f"{json.dumps(document, indent=2)}\n")
    except OSError as error:
        raise ValueError(f"{file} cannot be written: {error.strerror}") from None
    print(f"Written: {file}. Next: higgsdemo check {file}; higgsdemo run --campaign {name} --follow")


def _parts(data: str) -> list[str]:
    return [one.strip() for one in data.split(",")]


def _campaign(
    name: str, data: list[str], words: str, output: str, cluster: str, sidecar: str | None
) -> dict[str, Any]:
    image, _, command = words.strip().partition(" ")
    local = cluster == LOCAL
    url = urlsplit(data[0])
    place = {"provider": LOCAL} if local else {"provider": "existing", "connection": cluster}
    return {
        "$schema": "./campaign.schema.json",
        "title": name,
        **({"catalogue": "demo"} if local else {}),
        "workload": "command",
        "command": command,
        "image": image,
        **({"stage_in_image": sidecar} if sidecar else {}),
        "storage": {
            "input": f"{url.scheme}://{url.netloc}" if url.scheme else "s3://higgs-demo",
            "output": output,
            **({"connection": "higgs_s3"} if local else {}),
        },
        "cleanup": "clusters" if local else "jobs",
        "mapping": [{"name": dns_label(f"on-{name}", 40), **place, "datasets": data}],
    }
