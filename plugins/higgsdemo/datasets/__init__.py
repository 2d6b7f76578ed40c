"""From the files of a dataset to shards: listed, cut at cluster boundaries, shared out, packed into pods."""
