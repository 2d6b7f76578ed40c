"""Generate the demo's data into another S3 server than the local one: `python -m demo.fill`.

The usual variables (`AWS_ENDPOINT_URL`, `AWS_ACCESS_KEY_ID`, ...) name the server and its keys. It may run
again at any time.
"""

import os
import tempfile
from pathlib import Path

from demo.demo_data import fill_bucket, generate, make_buckets
from demo.settings import campaign_file
from higgsdemo.campaign import load_campaign

CAMPAIGN = "demo-k3s"


def main() -> None:
    """Make the campaign's buckets, generate the files, and upload them under their paths."""
    campaign = load_campaign(campaign_file(CAMPAIGN))
    make_buckets(None, campaign)
    with tempfile.TemporaryDirectory() as folder:
        files = fill_bucket(None, campaign, generate(Path(folder), dict(os.environ)))
    print(f"{files} files are in {campaign.storage.input}")


if __name__ == "__main__":
    main()
