"""List a bucket by its cloud's own library, whatever its keys are.

obstore lists several times as fast, but stops at the first key that it cannot name: one with an empty part,
with "." or "..", or with a control character; and it drops a slash at the end, so that two keys become one.
The clouds' libraries take keys as they are.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from higgsdemo.storage.connections import GCS_ENDPOINT, StorageError, scheme_of

Found = tuple[str, int, str | None, datetime | None]  # key, size in bytes, ETag, and when it was last written


def list_any(url: str, connection: str, after: str) -> Iterator[Found]:
    """Yield what lies below a URL after the key `after`, in the order of the keys; raise StorageError."""
    from botocore.exceptions import ClientError
    from google.api_core.exceptions import GoogleAPIError

    bucket, _, prefix = url.partition("://")[2].partition("/")
    prefix = f"{prefix}/" if prefix else ""
    pages = _gcs if scheme_of(url) == "gs" else _s3
    try:
        yield from pages(connection, bucket, prefix, after)
    except (ClientError, GoogleAPIError) as error:
        text = f"cannot list {url} with the Airflow connection {connection!r}: {error}"
        raise StorageError(text, final=False) from error


def _s3(connection: str, bucket: str, prefix: str, after: str) -> Iterator[Found]:
    from airflow.providers.amazon.aws.hooks.s3 import S3Hook

    hook = S3Hook(aws_conn_id=connection)
    payer = {"RequestPayer": "requester"} if hook.service_config.get("request_payer") else {}
    client: Any = hook.get_conn()
    pages = client.get_paginator("list_objects_v2")
    for page in pages.paginate(Bucket=bucket, Prefix=prefix, StartAfter=after, **payer):
        for found in page.get("Contents", ()):
            yield found["Key"], found["Size"], found["ETag"], found["LastModified"]


def _gcs(connection: str, bucket: str, prefix: str, after: str) -> Iterator[Found]:
    from airflow.providers.google.common.hooks.base_google import GoogleBaseHook
    from google.cloud.storage import Client  # type: ignore[import-untyped]

    hook = GoogleBaseHook(gcp_conn_id=connection)
    credentials, endpoint = hook.get_credentials(), hook.extras.get(GCS_ENDPOINT)
    client = Client("-", credentials, client_options={"api_endpoint": endpoint} if endpoint else None)
    listed = client.bucket(bucket, user_project=credentials.quota_project_id)
    for found in listed.list_blobs(prefix=prefix, start_offset=after):
        if found.name != after:
            yield found.name, found.size, None, found.updated  # pods are told ETags of another API
