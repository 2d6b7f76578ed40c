"""The simulated demo datasets: generated once into the state folder, and copied to the local S3 server.

Both outlive a restart; what exists is neither generated nor copied again. `python -m demo.demo_data` does
both for another S3 server, which `AWS_ENDPOINT_URL`, `AWS_ACCESS_KEY_ID` and such name.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

from demo.bucket import Bucket
from demo.settings import Settings, campaign_file
from higgsdemo.campaign import Campaign, load_campaign
from higgsdemo.command_line.ending import AWAY, CommandError

CATALOGUE, INPUT = "demo", "s3://higgs-demo"
"""Where the simulated files belong: in no catalogue of real data, and in nobody's own bucket."""

OF_DEPLOYMENT = "demo-k3s"  # the campaign that is run elsewhere than on the local services


class DataError(CommandError):
    """The demo's data cannot be generated; the message ends with the generator's output."""

    code = AWAY


def generate(folder: Path, environment: dict[str, str]) -> Path:
    """Generate missing ROOT files, laid out as in the bucket; raise DataError with the end of the output."""
    folder.mkdir(exist_ok=True)
    generated = subprocess.run(
        [sys.executable, "-m", "generator", "--output", str(folder)],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if generated.returncode:
        tail = "\n".join(generated.stdout.splitlines()[-10:])
        raise DataError(f"The demo's data cannot be generated:\n{tail}")
    return folder


def make_buckets(settings: Settings | None, campaign: Campaign) -> None:
    """Make the campaign's buckets, unless they exist."""
    urls = {campaign.storage.output}
    if reads_bucket(campaign):
        urls.add(campaign.storage.input)
    for url in urls:
        Bucket(settings, bucket_name(url)).create()


def fill_bucket(settings: Settings | None, campaign: Campaign, folder: Path) -> int:
    """Copy the files of `folder` to the bucket of the campaign's input; return their number."""
    return Bucket(settings, bucket_name(campaign.storage.input)).upload(folder)


def reads_bucket(campaign: Campaign) -> bool:
    """Return whether a campaign reads a bucket, and not public files on the network."""
    return campaign.storage.input.startswith("s3://")


def reads_demo(campaign: Campaign) -> bool:
    """Return whether a campaign reads the demo's data from the demo's bucket; no other is filled."""
    return campaign.catalogue == CATALOGUE and campaign.storage.input == INPUT


def bucket_name(url: str) -> str:
    """Return the bucket of an `s3://bucket/prefix` URL."""
    return urlsplit(url).netloc


def main() -> None:
    """Make the buckets of the campaign of a deployment, generate the files, and upload them."""
    campaign = load_campaign(campaign_file(OF_DEPLOYMENT))
    make_buckets(None, campaign)
    with tempfile.TemporaryDirectory() as folder:
        files = fill_bucket(None, campaign, generate(Path(folder), dict(os.environ)))
    print(f"{files} files are in {campaign.storage.input}")


if __name__ == "__main__":
    main()
