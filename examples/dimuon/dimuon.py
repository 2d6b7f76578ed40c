"""The dimuon mass spectrum: an analysis that shares nothing with the shipped one but the pod contract."""

import json
import os
import sys
from pathlib import Path

import awkward as ak
import numpy as np
import obstore
import uproot
from obstore.store import from_url

BINS, RANGE = 60, (60.0, 120.0)  # GeV; the campaign says the same


def main() -> None:
    manifest = Path(os.environ["SHARD_MANIFEST"]).read_text().splitlines()
    for shard in json.loads(manifest[int(os.environ["JOB_COMPLETION_INDEX"])])["shards"]:
        local = Path(os.environ["INPUT_DIR"], "shard.root")
        local.write_bytes(obstore.get(*locate(shard["url"])).bytes())
        try:
            processed, counts = analyse(local, *shard.get("entries", ()))
        except Exception as error:  # whatever a damaged file makes fail
            print(f"{shard['name']} is no readable ROOT file: {error!r}", file=sys.stderr)
            sys.exit(65)  # bad input: do not try again
        result = {"samplename": os.environ["DATASET"], "shard": shard["name"], "processed": processed}
        result |= {"entries": shard.get("entries"), "histograms": {"dimuon_mass": counts.tolist()}}
        content = json.dumps(result).encode()
        place = locate(f"{os.environ['OUTPUT_URL']}/{shard['name']}.json")
        obstore.put(*place, content, use_multipart=False)


def locate(url: str) -> tuple[obstore.store.ObjectStore, str]:
    *bucket, key = url.split("/", 3)  # the key is text: %20 in it is no space
    return from_url("/".join(bucket), client_options={"allow_http": True}), key  # the usual variables


def analyse(path: Path, start: int | None = None, stop: int | None = None) -> tuple[int, np.ndarray]:
    muons = uproot.open(path)["Events"].arrays(filter_name="Muon_*", entry_start=start, entry_stop=stop)
    fields = {field: muons[f"Muon_{field}"] for field in ("pt", "eta", "phi", "charge")}
    one, other = ak.unzip(ak.combinations(ak.zip(fields), 2))
    angles = np.cosh(one.eta - other.eta) - np.cos(one.phi - other.phi)
    mass = np.sqrt(2 * one.pt * other.pt * angles)[one.charge != other.charge]
    return len(muons), np.histogram(ak.flatten(mass).to_numpy(), BINS, RANGE)[0]


if __name__ == "__main__":
    main()
