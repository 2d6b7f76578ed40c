"""A valid campaign and a valid conf of its trigger, as they are and with damage done by hypothesis."""

import copy
import json
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

DATASET = "CMS_Run2012C_DoubleElectron_AOD_22Jan2013-v1_20000"
VALID: dict[str, Any] = json.loads(Path(__file__).with_name("valid_campaign.json").read_text())
CONF: dict[str, Any] = {
    "run_name": "again",
    "stages": ["create", "submit"],
    "clusters": ["one"],
    "resume": True,
    "max_shards": 3,
    "mapping": VALID["mapping"],
    "storage": {"output": "s3://other-results"},
    "image": "higgs:2",
    "cleanup": "clusters",
}

numbers = st.one_of(st.integers(), st.floats(), st.sampled_from([0, 1, -1, 1.0, 0.999, 2**70, 10**400]))
texts = st.one_of(
    st.text(max_size=20),
    st.sampled_from(
        [
            *("", " ", "\n", "\x00", "\ud800", "{{ x }}", "{% x %}", "22", DATASET),
            *("../x", "/etc/passwd", "a/../b", "x_file_index.txt", "min_datasets/x.txt"),
            *("s3://", "gs://x", "s3://b/..", "s3://user:secret@bucket", "http://[::1", "http://h:99999999"),
            *("@daily", "* * * * *", "0 0 31 2 *", "*/0 * * * *", "1Gi", "1e3", "local-0", "local-3"),
        ]
    ),
)
documents = st.recursive(
    st.one_of(st.none(), st.booleans(), numbers, texts),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.one_of(texts, st.sampled_from([*VALID, *VALID["mapping"][0]])), inner, max_size=5),
    ),
    max_leaves=20,
)


@st.composite
def damaged(draw: st.DrawFn, valid: Any) -> Any:
    """Return a valid document of which one or two parts are replaced, removed or added to."""
    document = copy.deepcopy(valid)
    for _ in range(draw(st.integers(1, 2))):
        part = document
        while True:
            keys = list(part) if isinstance(part, dict) else list(range(len(part)))
            if not keys:
                break
            key = draw(st.sampled_from(keys))
            if isinstance(part[key], dict | list) and draw(st.booleans()):
                part = part[key]
                continue
            match draw(st.sampled_from(["replace", "remove", "add"])):
                case "replace":
                    part[key] = draw(documents)
                case "remove":
                    del part[key]
                case "add" if isinstance(part, dict):
                    part[draw(texts)] = draw(documents)
                case "add":
                    part.append(draw(documents))
            break
    return document
