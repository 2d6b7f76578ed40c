"""The kinds of values in a campaign; each says in one phrase what it must be."""

from typing import Annotated, Literal

from higgsdemo.campaign import command, values
from higgsdemo.campaign.rule import Rule, checked, either, number, text
from higgsdemo.wording import one_of

Provider = Literal["local", "existing", "gke", "eks"]
CLOUDS = ("gke", "eks")  # whose clusters cost money, and have options of their own
Workload = Literal["nanoaod", "nanoaod-outreach", "nanoaod-v9", "aod", "own", "command"]
Cleanup = Literal["none", "jobs", "clusters"]
Incomplete = Literal["fail", "warn"]
Read = Literal["stage-in", "stream"]
RunAs = Literal["image"]
OnCancel = Literal["stop", "release"]
Split = Literal["by-bytes"]
PullPolicy = Literal["Always", "IfNotPresent", "Never"]
Dpath = Literal["/dev/shm", "/mnt/disks/ssd0", "/dev/null"]

_NAME_COMPONENT = "[a-z0-9]+((\\.|_|__|-+)[a-z0-9]+)*"
_IMAGE = (
    r"([A-Za-z0-9.-]+(:[0-9]{1,5})?/)?" + f"{_NAME_COMPONENT}(/{_NAME_COMPONENT})*"
    r"(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(@sha256:[a-f0-9]{64})?"
)

_INT32 = 2**31 - 1  # the largest integer of Kubernetes and of the clouds, which refuse others too late
_FROM_1 = number(f"a whole number from 1 to {_INT32}", whole=True, minimum=1, maximum=_INT32)
Whole = Annotated[int, _FROM_1]
Price = Annotated[int | float, number("a number, 0 or more", minimum=0)]
WholeOrAuto = Annotated[
    int | str,
    either(f'{_FROM_1.must_be}, or "auto"', _FROM_1, text('"auto"', "auto", 4)),
]
Count = Annotated[int, number(f"a whole number from 0 to {_INT32}", whole=True, minimum=0, maximum=_INT32)]
Hours = Annotated[
    float, number("a number of hours, more than 0 and at most 8760", exclusiveMinimum=0, maximum=8760)
]
_NODES = checked("a number in quotes", values.nodes_in_text, f"^{values.NODES}$")
Nodes = Annotated[int, either(_FROM_1.must_be, _FROM_1, _NODES)]
Tolerance = Annotated[
    int | float,
    either(
        "a number of shards (0 or more) or a fraction below 1",
        number("a number of shards", whole=True, minimum=0),
        number("a fraction", minimum=0, exclusiveMaximum=1),
    ),
]
Line = Annotated[str, text("one line of at most 120 characters", r"[^\x00-\x1f\x7f]{0,120}", 120)]
Prose = Annotated[str, text("a text of at most 4000 characters", r"[^\x00-\x08\x0b-\x1f\x7f]*", 4000)]
ClusterName = Annotated[
    str,
    text(
        "at most 40 lower-case letters, digits and hyphens, with a letter first and no hyphen last",
        "[a-z]([a-z0-9-]{0,38}[a-z0-9])?",
        40,
    ),
]
RunName = Annotated[
    str,
    text(
        "at most 40 lower-case letters, digits and hyphens, with no hyphen at either end",
        "[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?",
        40,
    ),
]
Namespace = Annotated[
    str,
    text(
        'at most 63 lower-case letters, digits and hyphens, not beginning with "kube-"',
        "(?!kube-)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?",
        63,
    ),
]
Connection = Annotated[str, text("the id of an Airflow connection", "[A-Za-z0-9_.-]+", 250)]
CatalogueName = Annotated[str, text("the name of a directory of include/datasets", "[a-z0-9][a-z0-9-]*", 60)]
Location = Annotated[
    str, text("a region or zone such as europe-west4 or eu-west-1", "[a-z][a-z0-9-]*[a-z0-9]", 60)
]
Flavor = Annotated[
    str, text("a machine type such as n1-highmem-16 or local-1", "[a-z0-9]([a-z0-9.-]*[a-z0-9])?", 60)
]
Image = Annotated[str, text("an image reference such as registry.example.org/name:tag", _IMAGE, 255)]
BucketUrl = Annotated[
    str,
    checked(
        "a bucket's URL such as s3://bucket or gs://bucket/prefix", values.bucket_url, "^(s3|gs)://[a-z0-9]"
    ),
]
SourceUrl = Annotated[
    str,
    checked(
        "a URL such as s3://bucket, gs://bucket/prefix, https://server/path or root://server//path",
        values.source_url,
        "^(s3|gs|https|root)://[a-z0-9]",
    ),
]
CertifiedFile = Annotated[
    str,
    checked(
        "a path below include/datasets, or a URL such as https://server/certified.json",
        values.path_or_url,
        r"^(https://[a-z0-9]|[A-Za-z0-9])",
    ),
]
_WORDS = {"type": "array", "minItems": 1, "items": {"type": "string"}}
Command = Annotated[
    list[str] | str,
    Rule(
        "a line for the image's /bin/sh, or a list of words",
        command.words,
        {"anyOf": [{"type": "string", "minLength": 1}, _WORDS]},
    ),
]
Variables = Annotated[
    dict[str, str],
    Rule(
        'an object such as {"CHANNEL": "muons"}, with texts that are no secrets',
        command.variables,
        {"type": "object", "additionalProperties": {"type": "string"}},
    ),
]
Glob = Annotated[
    str, text("a pattern such as *.root", r"(?!.*\.\.)[A-Za-z0-9_*?\[\]!.=+,@~-][^\x00-\x20\x7f$\\]*", 200)
]
Trigger = Annotated[
    str, text("the branch of a trigger bit, such as HLT_IsoMu24", "(HLT|L1)_[A-Za-z0-9_]+", 120)
]
ExitCode = Annotated[int, number("an exit code, from 1 to 255", whole=True, minimum=1, maximum=255)]
Gigabytes = Annotated[
    int | float, number("a number of GB, more than 0 and at most 5000", exclusiveMinimum=0, maximum=5000)
]
FilePath = Annotated[str, text("the path of a file, from the root", r"/[^\x00-\x1f\x7f]+", 1000)]
PodIdentity = Annotated[
    str,
    text(
        "a Google service account's e-mail address or the ARN of an IAM role",
        r"([a-z0-9-]+@[a-z0-9.-]+\.gserviceaccount\.com"
        r"|arn:aws[a-z-]*:iam::[0-9]{12}:role/[A-Za-z0-9+=,.@_/-]+)",
        2048,
    ),
]
Endpoint = Annotated[
    str,
    checked("a URL such as https://host:9000", values.http_url, "^https?://[^@?#]+$"),
]
AddressRange = Annotated[
    str,
    checked(
        "a range of IP addresses such as 10.20.0.0/16", values.address_range, "^[0-9a-fA-F.:]+/[0-9]{1,3}$"
    ),
]
CpuQuantity = Annotated[
    str,
    checked(
        'a Kubernetes quantity such as "0.9" or "900m"', values.at_least("1m", values.CPU), f"^{values.CPU}$"
    ),
]
MemoryQuantity = Annotated[
    str,
    checked(
        'a Kubernetes quantity such as "6Gi" or "512Mi"',
        values.at_least("1Mi", values.MEMORY),
        f"^{values.MEMORY}$",
    ),
]
Schedule = Annotated[
    str,
    Rule(
        f"a cron expression or {one_of(values.PRESETS)}",
        values.schedule,
        {"type": "string", "examples": ["@daily", "0 3 * * *"]},
    ),
]
HistogramName = Annotated[
    str, text("letters, digits and underscores, with a letter first", "[A-Za-z][A-Za-z0-9_]*", 60)
]
InFile = Annotated[
    str,
    text(
        "a file and the name of a histogram in it, such as out.root:h_mass",
        r"(?!.*\.\.)[A-Za-z0-9_][A-Za-z0-9_./+=-]*:[A-Za-z0-9_][A-Za-z0-9_./;+=-]*",
        200,
    ),
]
Bins = Annotated[int, number("a whole number from 1 to 1000", whole=True, minimum=1, maximum=1000)]
"""A result document of 1 MiB has room for several times as many."""
Limit = Annotated[float, number("a number")]
ClassPath = Annotated[
    str,
    text(
        "the path of a class such as airflow.providers.smtp.notifications.smtp.SmtpNotifier",
        r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)+",
        250,
    ),
]
DatasetName = Annotated[
    str,
    text("letters, digits, dots, hyphens and underscores", "[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?", 200),
]
Doi = Annotated[
    str, text("a DOI such as 10.7483/OPENDATA.CMS.4TV2.5QG3", r"10\.[0-9]{4,9}/[A-Za-z0-9._;()/:-]+", 200)
]
DatasetText = Annotated[
    str,
    Rule(
        "a catalogue dataset's name, the path of an index file, or a URL such as s3://bucket/prefix/",
        values.dataset,
        {"type": "string", "minLength": 1},
    ),
]
