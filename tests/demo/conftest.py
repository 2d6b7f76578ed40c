"""What the tests of the demo share."""

from s3_server import s3_endpoint as s3_endpoint
