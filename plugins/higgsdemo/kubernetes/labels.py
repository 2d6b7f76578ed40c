"""The names and labels that everything of ours in a cluster bears: how it is adopted, watched and removed."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from higgsdemo.run import Run, dns_label

PART_OF = "app.kubernetes.io/part-of"
PROJECT = "higgsdemo"
CAMPAIGN = "higgsdemo/campaign"
RUN = "higgsdemo/run"
DATASET = "higgsdemo/dataset"
SPEC_HASH = "higgsdemo/spec-hash"
STOPPED = "higgsdemo/stopped"

LABEL_LIMIT = 63


def labels(run: Run, dataset: str | None = None) -> dict[str, str]:
    """Return the labels of an object of this run."""
    base = {PART_OF: PROJECT, CAMPAIGN: label_value(run.campaign), RUN: label_value(run.name)}
    return base | ({DATASET: label_value(dataset)} if dataset else {})


def selector(campaign: str, run: str | None = None) -> str:
    """Return the label selector of a campaign's objects, of one run or of all."""
    parts = [f"{PART_OF}={PROJECT}", f"{CAMPAIGN}={label_value(campaign)}"]
    return ",".join(parts + ([f"{RUN}={label_value(run)}"] if run else []))


def label_value(text: str) -> str:
    """Return ``text`` as a label value: as it is if it fits, else cut and made unique by a hash."""
    if len(text) <= LABEL_LIMIT:
        return text
    return f"{text[: LABEL_LIMIT - 9].rstrip('-_.')}-{digest(text)}"  # 54 + 1 + 8 = 63


def object_name(run: Run, content: Any) -> str:
    """Return a name that says the campaign and the run, and is the same for the same content alone.

    It leaves room for what Kubernetes adds to the name of an Indexed Job's pods.
    """
    stem = dns_label(f"{run.campaign}-{run.name}", 40)
    return f"{stem}-{digest(content)}"  # 40 + 1 + 8 = 49; with "-99999" and "-x7k2p" 61 of 63


def digest(content: Any) -> str:
    """Return eight hexadecimal digits of the SHA-256 of ``content`` as canonical JSON."""
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:8]
