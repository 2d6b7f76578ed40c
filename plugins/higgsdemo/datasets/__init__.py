"""From the files of a dataset to shards: listed, cut at cluster boundaries, distributed, packed into pods."""
