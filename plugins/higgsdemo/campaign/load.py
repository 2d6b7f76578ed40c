"""Load campaigns from their files, in our own form or in that of the original tool, a bare list."""

import os
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from higgsdemo.campaign.document import document_problems, read_document
from higgsdemo.campaign.messages import CampaignError, Problem, problems_of
from higgsdemo.campaign.model import Campaign
from higgsdemo.campaign.original import OriginalList
from higgsdemo.wording import quote

CONFIG = "HIGGS_CONFIG"
SCHEMA_SUFFIX = ".schema.json"
DAG_ID = "[A-Za-z0-9]([A-Za-z0-9_.-]{0,198}[A-Za-z0-9])?"
JANITOR = "higgs_janitor"  # the DAG that is not a campaign


def config_folder(dags: Path) -> Path:
    """Return the folder of campaigns: `include/config` beside the folder of DAGs, or `HIGGS_CONFIG`.

    The latter may be a ConfigMap, or a team's own repository.
    """
    return Path(os.environ.get(CONFIG) or dags.parent / "include" / "config")


def config_files(directory: Path) -> list[Path]:
    """Return the campaign files of `directory`: every `.json` that is neither hidden nor a JSON Schema.

    :raises CampaignError: when the directory cannot be listed.
    """
    try:
        files = sorted(path for path in directory.iterdir() if path.suffix == ".json")
    except OSError as error:
        problem = Problem((), f"cannot be listed: {error.strerror}")
        raise CampaignError(str(directory), [problem], root="the directory") from None
    return [path for path in files if not path.name.startswith(".") and not path.name.endswith(SCHEMA_SUFFIX)]


def dag_id_problem(stem: str) -> str | None:
    """Return why a file's stem cannot be the id of its DAG; None when it can."""
    if stem == JANITOR:
        return f"is {quote(stem)}, the id of the DAG that removes what campaigns leave behind"
    if re.fullmatch(DAG_ID, stem, re.ASCII):
        return None
    return (
        f"is {quote(stem)}; it becomes the DAG's id, so it must be at most 200 letters, digits, dots, "
        "hyphens and underscores, with a letter or digit at both ends"
    )


def load_campaign(path: Path) -> Campaign:
    """Load the campaign of a file; the file's stem is the DAG's id.

    :raises CampaignError: with one message that names the file and everything wrong in it.
    """
    if text := dag_id_problem(path.stem):
        raise CampaignError(str(path), [Problem((), text)], root="the file's name without .json")
    return parse_campaign(read_document(path), source=str(path))


def placed_at(path: Path) -> datetime:
    """Return when a file was saved in its place; a copy or a checkout may have an older date."""
    return datetime.fromtimestamp(path.stat().st_ctime, UTC)


def parse_campaign(document: Any, source: str) -> Campaign:
    """Make a campaign of a JSON document in either form.

    :param source: what errors name: the file, or "trigger conf".
    :raises CampaignError: with everything wrong in the document.
    """
    if problems := list(document_problems(document)):
        raise CampaignError(source, problems)
    original = OriginalList(document) if isinstance(document, list) else None
    try:
        campaign = Campaign.model_validate(original.document if original else document)
        campaign.clusters()
    except ValidationError as error:
        problems = problems_of(error)
    except CampaignError as error:
        problems = list(error.problems)
    else:
        campaign.remark(*(original.remarks if original else ()))
        return campaign
    if original:
        raise CampaignError(source, map(original.place, problems), root="the list")
    raise CampaignError(source, problems)
