"""What pods write, and its sum: every shard counted exactly once."""
