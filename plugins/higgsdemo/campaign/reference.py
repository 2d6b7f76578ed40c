"""Write docs/configuration.md: every field of a campaign and every key of a trigger's conf, from the model.

`make docs` runs it. No part of the reference is written by hand, so it always agrees with the model.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from higgsdemo.campaign.analysis import HistogramSpec
from higgsdemo.campaign.at_trigger import AtTrigger
from higgsdemo.campaign.entries import ClusterEntry, DatasetEntry, Resources
from higgsdemo.campaign.model import Campaign
from higgsdemo.campaign.notifications import Notifications, Notifier
from higgsdemo.campaign.providers import EksOptions, GkeOptions
from higgsdemo.campaign.rule import Rule
from higgsdemo.campaign.settings import Settings
from higgsdemo.campaign.storage import Storage
from higgsdemo.campaign.trigger_conf import CAMPAIGN_KEYS, RunOptions
from higgsdemo.wording import one_of, quote

REFERENCE_FILE = Path(__file__).resolve().parents[3] / "docs" / "configuration.md"

_PARTS: tuple[tuple[str, type[BaseModel], str], ...] = (
    ("A campaign", Campaign, "The object in a file of `include/config/`."),
    ("storage", Storage, ""),
    ("at_trigger", AtTrigger, "Who must be trusted with what: [security.md](security.md)."),
    ("An entry of mapping", ClusterEntry, "`defaults` takes the same fields but `name` and `datasets`."),
    ("A dataset as an object", DatasetEntry, "More ways to write a dataset: `include/config/README.md`."),
    ("resources", Resources, ""),
    ("gke", GkeOptions, ""),
    ("eks", EksOptions, ""),
    ("An entry of histograms", HistogramSpec, ""),
    ("notifications", Notifications, ""),
    ("A notifier", Notifier, "Airflow calls it when a run has ended. A trigger cannot name one."),
    (
        "The conf of a trigger",
        RunOptions,
        f"The keys {', '.join(f'`{key}`' for key in CAMPAIGN_KEYS)} replace the campaign's values; `storage` "
        "replaces only the fields it names. Other keys are refused.",
    ),
)


def reference_text() -> str:
    """Return the content of docs/configuration.md."""
    return "\n".join(_lines())


def _lines() -> Iterator[str]:
    yield "# Configuration"
    yield ""
    yield "Every field of a campaign's file, and every key that a run can be triggered with. This page is"
    yield "made from the model (`make docs`); `include/config/campaign.schema.json` says the same to editors."
    for title, model, remark in _PARTS:
        yield from ("", f"## {title}", "", (model.__doc__ or "").splitlines()[0])
        if remark:
            yield from ("", remark)
        yield from ("", "| field | what it is | must be | default |", "|---|---|---|---|")
        inherited = Settings.model_fields  # listed after a campaign's own
        for name, info in sorted(model.model_fields.items(), key=lambda item: item[0] in inherited):
            cells = (f"`{info.alias or name}`", info.description or "", _must_be(info), _default(info))
            yield f"| {' | '.join(map(_cell, cells))} |"
    yield ""


def _cell(text: str) -> str:
    """Return a text as a table cell: no bar ends it, and outside of code nothing is read as HTML."""
    parts = text.replace("|", "&#124;").split("`")
    return "`".join(part if number % 2 else part.replace("<", "&lt;") for number, part in enumerate(parts))


def _default(info: FieldInfo) -> str:
    if info.is_required():
        return "required"
    if info.default_factory is not None:
        return ""
    default = info.default
    if default in (None, "", [], {}):
        return ""
    said = ", ".join(map(str, default)) if isinstance(default, list) else quote(default).strip('"')
    return f"`{said}`"


def _must_be(info: FieldInfo) -> str:
    said = [
        one.must_be if isinstance(one, Rule) else one_of(get_args(one))
        for one in (*info.metadata, *_inner(info.annotation))
        if isinstance(one, Rule) or get_origin(one) is Literal
    ]
    if said:
        return f"a list; each {said[0]}" if _is_list(info.annotation) else said[0]
    models = [
        part for part in _inner(info.annotation) if isinstance(part, type) and issubclass(part, BaseModel)
    ]
    if models:
        return "a list of objects" if _is_list(info.annotation) else "an object"
    return "true or false" if info.annotation is bool else "an object"


def _is_list(annotation: Any) -> bool:
    return any(getattr(part, "__origin__", None) is list for part in _inner(annotation))


def _inner(annotation: Any) -> Iterator[Any]:
    """Yield an annotation and everything inside it."""
    yield annotation
    for part in get_args(annotation):
        yield from _inner(part)


if __name__ == "__main__":
    REFERENCE_FILE.write_text(reference_text(), encoding="utf-8")
    print(REFERENCE_FILE)
