"""A replica in a bucket of a store that speaks S3 (`type: s3`). The one room that knows boto3."""
