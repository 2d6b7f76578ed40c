"""The demo's buckets in the local S3 server: made and filled beforehand, read while the campaign runs."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from demo.settings import REGION, Settings

_UPLOADS = 4  # files sent at the same time; the server is one process, so more gain nothing


class Bucket:
    """One bucket; raises botocore's errors when no server answers.

    :param settings: of the local S3 server; None for the one that `AWS_ENDPOINT_URL` and such name.
    """

    def __init__(self, settings: Settings | None, name: str) -> None:
        self.name = name
        self._s3 = boto3.client(
            "s3",
            endpoint_url=settings.s3_url if settings else None,
            region_name=REGION,
            aws_access_key_id=settings.secrets.s3_access_key if settings else None,
            aws_secret_access_key=settings.secrets.s3_secret_key if settings else None,
            config=Config(retries={"total_max_attempts": 4}, connect_timeout=5, read_timeout=30, proxies={}),
        )

    def create(self) -> None:
        try:
            self._s3.create_bucket(Bucket=self.name)
        except ClientError as error:
            if error.response["Error"]["Code"] not in ("BucketAlreadyOwnedByYou", "BucketAlreadyExists"):
                raise

    def objects(self, prefix: str = "") -> Iterator[tuple[str, int]]:
        """Yield key and size in bytes of each object below a prefix."""
        for page in self._s3.get_paginator("list_objects_v2").paginate(Bucket=self.name, Prefix=prefix):
            for item in page.get("Contents", ()):
                yield item["Key"], item["Size"]

    def read(self, key: str) -> bytes:
        """Return one object; raise botocore's ClientError when there is none."""
        return self._s3.get_object(Bucket=self.name, Key=key)["Body"].read()

    def upload(self, folder: Path) -> int:
        """Copy a folder's ROOT files, unless they exist in the same size; return the number of its files."""
        there = dict(self.objects())
        files = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*.root"))}
        new = {key: path for key, path in files.items() if there.get(key) != path.stat().st_size}
        with ThreadPoolExecutor(_UPLOADS) as pool:
            list(pool.map(lambda item: self._s3.upload_file(str(item[1]), self.name, item[0]), new.items()))
        return len(files)
