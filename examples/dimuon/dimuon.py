"""The mass of muon pairs of opposite charge and its Z peak: from a file to a histogram. It knows no store."""

import json
import os
from pathlib import Path

import awkward as ak
import numpy as np
import uproot

first, last = int(os.environ.get("FIRST_EVENT", 0)), int(os.environ.get("LAST_EVENT", 10**12))
events = uproot.open(os.environ["INPUT_FILE"])["Events"]
muons = events.arrays(filter_name="Muon_*", entry_start=first, entry_stop=last + 1)
fields = {field: muons[f"Muon_{field}"] for field in ("pt", "eta", "phi", "charge")}
one, other = ak.unzip(ak.combinations(ak.zip(fields), 2))
angles = np.cosh(one.eta - other.eta) - np.cos(one.phi - other.phi)
mass = np.sqrt(2 * one.pt * other.pt * angles)[one.charge != other.charge]
counts, _ = np.histogram(ak.flatten(mass).to_numpy(), 60, (60.0, 120.0))  # GeV; the campaign says the same
result = {"processed": len(muons), "histograms": {"dimuon_mass": counts.tolist()}}
Path(os.environ["OUTPUT_DIR"], "result.json").write_text(json.dumps(result))
