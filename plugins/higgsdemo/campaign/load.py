"""Load campaigns from their files, in our own form or in that of the original tool, a bare list."""

import os
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from higgsdemo.campaign.document import document_problems, read_document
from higgsdemo.campaign.model import Campaign
from higgsdemo.campaign.original import OriginalList
from higgsdemo.campaign.problems import CampaignError, Problem, problems_of
from higgsdemo.campaign.problems import Path as FieldPath
from higgsdemo.campaign.rule import PLANNED
from higgsdemo.wording import quote

CONFIG = "HIGGS_CONFIG"
SCHEMA_SUFFIX = ".schema.json"
DAG_ID = "[A-Za-z0-9]([A-Za-z0-9_.-]{0,198}[A-Za-z0-9])?"
JANITOR = "higgs_janitor"  # the DAG that is not a campaign


def config_folder(dags: Path) -> Path:
    """Return the folder of campaigns: `include/config` beside the DAGs, or what `HIGGS_CONFIG` names."""
    return Path(os.environ.get(CONFIG) or dags.parent / "include" / "config")


def config_files(directory: Path) -> list[Path]:
    """Return every `.json` of a directory that is neither hidden nor a JSON Schema; raise CampaignError."""
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
    """Load the campaign of a file; raise CampaignError with everything that is wrong in it."""
    if text := dag_id_problem(path.stem):
        raise CampaignError(str(path), [Problem((), text)], root="the file's name without .json")
    return parse_campaign(read_document(path), source=str(path))


def placed_at(path: Path) -> datetime:
    """Return when a file was saved in its place; a copy or a checkout may have an older date."""
    return datetime.fromtimestamp(path.stat().st_ctime, UTC)


def parse_campaign(document: Any, source: str) -> Campaign:
    """Make a campaign of a JSON document in either form; raise CampaignError with everything wrong in it.

    :param source: what errors name: the file, or "trigger conf".
    """
    problems = list(document_problems(document))
    original = OriginalList(document) if isinstance(document, list) else None
    written, place = (original.document, original.place) if original else (document, lambda problem: problem)
    try:
        campaign = Campaign.model_validate(written)
        campaign.clusters()
    except ValidationError as error:
        malformed = problems_of(error)
        problems += map(place, malformed + _meant_wrong(written, malformed))
    except CampaignError as error:
        problems += map(place, error.problems)
    if problems:
        raise CampaignError(source, problems, root="the list" if original else "the campaign")
    campaign.remark(*(original.remarks if original else ()))
    return campaign


def _meant_wrong(document: Any, malformed: list[Problem]) -> list[Problem]:
    """Return what is wrong with well-formed clusters and datasets of a campaign that has other mistakes.

    So people can mend everything at once. Problems that only follow from a malformed field are left out.
    """
    wrong = {_field_at(problem.path) for problem in malformed} - {("catalogue",)}
    try:
        Campaign.model_validate(_without(document, wrong), extra="ignore", context=PLANNED).clusters()
    except ValidationError:
        pass
    except CampaignError as error:
        told = (one for one in error.problems if one.path not in wrong)
        return [one for one in told if one.path and one.path[:-1] != ("mapping",)]  # no "needs the field"
    return []


def _field_at(path: FieldPath) -> FieldPath:
    """Return the path of the field that an element of a list belongs to."""
    return path if not path or isinstance(path[-1], str) else _field_at(path[:-1])


def _without(value: Any, fields: set[FieldPath], path: FieldPath = ()) -> Any:
    """Return a JSON value without some fields."""
    match value:
        case dict():
            kept = {key: (*path, key) for key in value if (*path, key) not in fields}
            return {key: _without(value[key], fields, inside) for key, inside in kept.items()}
        case list():
            return [_without(item, fields, (*path, number)) for number, item in enumerate(value)]
    return value
