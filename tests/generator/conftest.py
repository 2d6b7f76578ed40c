from s3_server import bucket, s3_endpoint

__all__ = ["bucket", "s3_endpoint"]
