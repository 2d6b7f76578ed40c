"""What a campaign says of a command: the shell or words that an image of anybody's runs for each shard.

Its container gets no credentials, so a campaign must not give it any: a value that looks like a key is
refused, as everything here is written to Jobs, logs and the run's folder for all to read.
"""

import re
from typing import Any

from higgsdemo.campaign.rule import credentials

COMMAND = "command"
COUNTED = ("own", COMMAND)  # the workloads whose histograms the campaign describes
BESIDE = ("aod", COMMAND)  # the workloads whose image works on local files, and our own beside it
GIVEN = (
    *("INPUT_FILE", "INPUT_URL", "OUTPUT_DIR", "SHARD", "DATASET", "SAMPLE", "DATATYPE", "YEAR"),
    *("LUMINOSITY", "CERTIFIED_JSON", "FIRST_EVENT", "LAST_EVENT", "WORK_DIR"),
)
"""The variables that a command is given."""

OF_WORKLOADS = {
    "histograms": COUNTED,
    "bad_input_codes": COUNTED,
    "triggers": ("nanoaod", "nanoaod-outreach", "nanoaod-v9"),
    **dict.fromkeys(("command", "env", "outputs", "max_output_gb", "logs", "run_as"), (COMMAND,)),
}
"""The fields of a campaign that only some workloads have."""

NEEDED = {"own": ("image", "histograms"), COMMAND: ("image", "command")}
"""The fields that a workload must have."""

_NAME = r"[A-Za-z_][A-Za-z0-9_]*"


def words(value: Any) -> list[str] | str:
    """Check a command: a line for `sh -c`, or a list of words."""
    parts = [value] if isinstance(value, str) else value
    if not isinstance(parts, list) or not 0 < len(parts) <= 100 or not all(map(_is_text, parts)):
        raise ValueError
    if not parts[0].strip():
        raise ValueError("its first word is empty")
    return value if isinstance(value, str) else parts


def variables(value: Any) -> dict[str, str]:
    """Check environment variables; none may be a secret, or one that the command is given anyway."""
    if not isinstance(value, dict) or len(value) > 100:
        raise ValueError
    for name, text in value.items():
        if not re.fullmatch(_NAME, str(name), re.ASCII) or not _is_text(text):
            raise ValueError
        if name in GIVEN:
            raise ValueError(f"each command is given {name}")
        if any(credentials({name: text})):
            raise ValueError(f"{name} looks like a key, and everybody may read this")
    return value


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= 20_000 and "\0" not in value
