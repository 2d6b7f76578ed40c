from workload_files import shard_file

__all__ = ["shard_file"]
