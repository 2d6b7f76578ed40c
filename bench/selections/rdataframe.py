"""ROOT's way: an RDataFrame with the selection in C++, compiled before the clock starts."""

from collections.abc import Callable

import ROOT

from bench.selections import CHANNELS, FIELDS, ISOLATION, LEAST_PT, MASSES, MOST_ETA, Z_MASS

CODE = f"""
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

namespace four_leptons {{
using Floats = const ROOT::RVec<float>&;
struct Lepton {{ double pt; int charge; ROOT::Math::PxPyPzEVector momentum; }};
using Leptons = std::vector<Lepton>;

Leptons good(Floats pt, Floats eta, Floats phi, const ROOT::RVec<int>& charge, Floats dxy, Floats dz,
             Floats dxy_error, Floats dz_error, Floats iso, double least_pt, double most_eta, double mass) {{
  Leptons found;
  for (size_t i = 0; i < pt.size(); ++i) {{
    const double error = std::hypot(double(dxy_error[i]), double(dz_error[i]));
    const double impact = std::hypot(double(dxy[i]), double(dz[i]));
    if (!(pt[i] > least_pt && std::abs(eta[i]) < most_eta && iso[i] >= 0 && iso[i] < 0.4 && error > 0 &&
          impact / error < 4 && std::abs(dxy[i]) < 0.5 && std::abs(dz[i]) < 1))
      continue;
    found.push_back({{pt[i], charge[i],
                     ROOT::Math::PxPyPzEVector(ROOT::Math::PtEtaPhiMVector(pt[i], eta[i], phi[i], mass))}});
  }}
  std::stable_sort(found.begin(), found.end(), [](auto& a, auto& b) {{ return a.pt > b.pt; }});
  return found;
}}

double off(const Lepton& a, const Lepton& b) {{
  return std::abs((a.momentum + b.momentum).M() - {Z_MASS});
}}

bool passes(const Lepton& a, const Lepton& b, const Lepton& c, const Lepton& d) {{
  if (a.charge == b.charge || c.charge == d.charge) return false;
  const bool first = off(a, b) <= off(c, d);
  const Lepton& a1 = first ? a : c; const Lepton& a2 = first ? b : d;
  const Lepton& b1 = first ? c : a; const Lepton& b2 = first ? d : b;
  const double za = (a1.momentum + a2.momentum).M(), zb = (b1.momentum + b2.momentum).M();
  return std::max(a1.pt, a2.pt) > 20 && std::min(a1.pt, a2.pt) > 10 && za > 40 && za < 120 && zb > 12 &&
         zb < 120 && (a.momentum + b.momentum + c.momentum + d.momentum).M() > 70;
}}

bool one_flavour(const Leptons& l) {{
  if (l.size() < 4 || l[0].charge + l[1].charge + l[2].charge + l[3].charge != 0) return false;
  const int pairs[6][4] = {{{{0,1,2,3}}, {{0,2,1,3}}, {{0,3,1,2}}, {{1,2,0,3}}, {{1,3,0,2}}, {{2,3,0,1}}}};
  double nearest = std::numeric_limits<double>::infinity();
  const int* best = nullptr;
  for (auto& p : pairs)
    if (l[p[0]].charge != l[p[1]].charge && off(l[p[0]], l[p[1]]) < nearest) {{
      nearest = off(l[p[0]], l[p[1]]);
      best = p;
    }}
  return passes(l[best[0]], l[best[1]], l[best[2]], l[best[3]]);
}}

bool two_flavours(const Leptons& m, const Leptons& e) {{
  return m.size() >= 2 && e.size() >= 2 && passes(m[0], m[1], e[0], e[1]);
}}
}}
"""
FILTERS = {
    "4mu": "one_flavour(muons)",
    "4e": "one_flavour(electrons)",
    "2e2mu": "two_flavours(muons, electrons)",
}


def prepare(path: str) -> Callable[[], dict[str, int]]:
    """Return the work."""
    ROOT.gInterpreter.Declare(CODE)

    def work() -> dict[str, int]:
        frame = ROOT.RDataFrame("Events", path)
        for name, collection in (("muons", "Muon"), ("electrons", "Electron")):
            columns = [f"{collection}_{field}" for field in (*FIELDS, ISOLATION[collection])]
            limits = [LEAST_PT[collection], MOST_ETA[collection], MASSES[collection]]
            arguments = ", ".join(map(str, [*columns, *limits]))
            frame = frame.Define(name, f"four_leptons::good({arguments})")
        counts = {channel: frame.Filter(f"four_leptons::{FILTERS[channel]}").Count() for channel in CHANNELS}
        return {channel: int(count.GetValue()) for channel, count in counts.items()}

    work()
    return work
