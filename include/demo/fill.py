"""Generates the demo's data and puts it into an S3 server other than the local one: `python -m demo.fill`.

The server and its keys are those of the usual variables (`AWS_ENDPOINT_URL`, `AWS_ACCESS_KEY_ID`, ...).
It may be run again at any time.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import boto3

BUCKETS = ("higgs-demo", "higgs-results")
"""The demo's input and output."""


def main() -> None:
    """Make the buckets, generate the files, and upload them under their paths."""
    s3 = boto3.client("s3")
    there = {bucket["Name"] for bucket in s3.list_buckets()["Buckets"]}
    for name in BUCKETS:
        if name not in there:
            s3.create_bucket(Bucket=name)
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, "-m", "generator", "--output", folder], check=True)
        files = sorted(Path(folder).rglob("*.root"))
        for path in files:
            s3.upload_file(str(path), BUCKETS[0], path.relative_to(folder).as_posix())
    print(f"{len(files)} files are in s3://{BUCKETS[0]}")


if __name__ == "__main__":
    main()
