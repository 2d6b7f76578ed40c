"""The names and labels of everything of ours in a cluster, by which it is adopted, watched and removed."""

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

from higgsdemo.run import Run, dns_label

PART_OF = "app.kubernetes.io/part-of"
PROJECT = "higgsdemo"
CAMPAIGN = "higgsdemo/campaign"
RUN = "higgsdemo/run"
DATASET = "higgsdemo/dataset"
SPEC_HASH = "higgsdemo/spec-hash"
STOPPED = "higgsdemo/stopped"
LOST = "lost"  # as STOPPED: others were through with its shards before
IDLE = "higgsdemo/idle-since"

OWNER = (PART_OF, CAMPAIGN, RUN)


def labels(run: Run, dataset: str | None = None) -> dict[str, str]:
    """Return the labels of an object of this run."""
    base = {PART_OF: PROJECT, CAMPAIGN: label_value(run.campaign), RUN: label_value(run.name)}
    return base | ({DATASET: label_value(dataset)} if dataset else {})


def selector(campaign: str, run: str | None = None) -> str:
    """Return the label selector of a campaign's objects, of one run or of all."""
    parts = [f"{PART_OF}={PROJECT}", f"{CAMPAIGN}={label_value(campaign)}"]
    return ",".join(parts + ([f"{RUN}={label_value(run)}"] if run else []))


def owner(manifest: Mapping[str, Any]) -> dict[str, str | None]:
    """Return an object's owner, by its labels; what all runs share has no campaign and no run."""
    marks = manifest["metadata"].get("labels") or {}
    return {label: marks.get(label) for label in OWNER}


def label_value(text: str) -> str:
    """Return ``text`` as a label value: unchanged up to 62 characters, else one of 63."""
    if re.fullmatch("[A-Za-z0-9]([A-Za-z0-9_.-]{0,60}[A-Za-z0-9])?", text):
        return text
    stem = dns_label(text, 46) or "x"  # 16 digits are left: nobody finds two texts that share them
    return f"{stem}-{digest(text, 62 - len(stem))}"


def object_name(run: Run, content: Any) -> str:
    """Return the name of an object, unique to this run and this content.

    It begins with the campaign's and the run's names, and leaves room for what Kubernetes adds to the name of
    an Indexed Job's pods.
    """
    stem = dns_label(f"{run.campaign}-{run.name}", 32)
    unique = digest([run.campaign, run.name, run.output, content], 16)
    return f"{stem}-{unique}"  # 32 + 1 + 16 = 49; with "-99999" and "-x7k2p" 61 of 63


def digest(content: Any, digits: int = 8) -> str:
    """Return so many hexadecimal digits of the SHA-256 of ``content`` as canonical JSON."""
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:digits]
