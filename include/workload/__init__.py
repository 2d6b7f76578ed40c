"""What runs inside a campaign's pods: stage in a shard, select four-lepton events, publish a histogram.

The package imports nothing of the campaign's code, because it travels: the image holds this directory alone,
and the embedded cluster runs it as a plain process. `workload.__main__` spells out its contract.
"""

from typing import Final

WORKLOAD: Final = "nanoaod/1"  # name and version of the analysis, which each result document carries
