"""What runs inside a campaign's pods: stage in a shard, select four-lepton events, publish a histogram.

It is a package of its own, without any import of the campaign's code, because it travels: the container
image holds this directory and nothing else, and the embedded cluster runs it as a plain process.
The contract is environment in, one JSON document a shard out, and the exit code says what to do next;
`workload.__main__` spells it out.
"""

from typing import Final

WORKLOAD: Final = "nanoaod/1"
"""Name and version of the analysis; a result document carries it, so that results can be told apart."""
