// Both rule sets, event by event; `rdataframe_selection.py` gives this to ROOT.
#include <Math/Vector4D.h>
#include <Math/VectorUtil.h>

using Vector = ROOT::Math::PtEtaPhiMVector;
using Floats = ROOT::RVec<float>;
using Integers = ROOT::RVec<int>;

struct Lepton { Vector momentum; int charge; };

// Particle-flow leptons (others have no isolation, -999) from the primary vertex, the hardest first.
std::vector<Lepton> good(const Floats &pt, const Floats &eta, const Floats &phi, const Integers &charge,
                         const Floats &iso, const Floats &dxy, const Floats &dz, const Floats &dxyErr,
                         const Floats &dzErr, double minPt, double maxEta, double mass) {
  std::vector<Lepton> found;
  for (size_t i = 0; i < pt.size(); i++) {
    const double xy = dxy[i], z = dz[i], errorXy = dxyErr[i], errorZ = dzErr[i];
    const double sip = std::sqrt(xy * xy + z * z) / std::sqrt(errorXy * errorXy + errorZ * errorZ);
    if (pt[i] > minPt && std::abs(eta[i]) < maxEta && iso[i] >= 0 && iso[i] < 0.4 && sip < 4 &&
        std::abs(xy) < 0.5 && std::abs(z) < 1)
      found.push_back({Vector(pt[i], eta[i], phi[i], mass), charge[i]});
  }
  std::stable_sort(found.begin(), found.end(), [](const Lepton &a, const Lepton &b) {
    return a.momentum.Pt() > b.momentum.Pt(); });
  return found;
}

double fromZ(const Lepton &a, const Lepton &b) {
  return std::abs((a.momentum + b.momentum).M() - 91.1876);
}

// The mass of the four, or 0 where the pairs are no two Z bosons.
double massOf(Lepton a1, Lepton a2, Lepton b1, Lepton b2) {
  if (fromZ(b1, b2) < fromZ(a1, a2)) { std::swap(a1, b1); std::swap(a2, b2); }
  const double za = (a1.momentum + a2.momentum).M(), zb = (b1.momentum + b2.momentum).M();
  const double hard = std::max(a1.momentum.Pt(), a2.momentum.Pt());
  const double soft = std::min(a1.momentum.Pt(), a2.momentum.Pt());
  const double mass = (a1.momentum + a2.momentum + b1.momentum + b2.momentum).M();
  const bool neutral = a1.charge + a2.charge == 0 && b1.charge + b2.charge == 0;
  const bool bosons = 40 < za && za < 120 && 12 < zb && zb < 120;
  return neutral && bosons && hard > 20 && soft > 10 && mass > 70 ? mass : 0;
}

double fourOfAKind(const std::vector<Lepton> &l) {
  if (l.size() < 4 || l[0].charge + l[1].charge + l[2].charge + l[3].charge != 0) return 0;
  double nearest = 1e9, mass = 0;
  for (auto [i, j, k, m] : {std::array{0, 1, 2, 3}, std::array{0, 2, 1, 3}, std::array{0, 3, 1, 2}}) {
    if (l[i].charge + l[j].charge != 0) continue;
    const double distance = std::min(fromZ(l[i], l[j]), fromZ(l[k], l[m]));
    if (distance < nearest) { nearest = distance; mass = massOf(l[i], l[j], l[k], l[m]); }
  }
  return mass;
}

double twoOfEach(const std::vector<Lepton> &mu, const std::vector<Lepton> &e) {
  return mu.size() < 2 || e.size() < 2 ? 0 : massOf(mu[0], mu[1], e[0], e[1]);
}

ROOT::RVec<double> sip3d(const Floats &dxy, const Floats &dz, const Floats &dxyErr, const Floats &dzErr) {
  ROOT::RVec<double> found(dxy.size());
  for (size_t i = 0; i < dxy.size(); i++)
    found[i] = std::hypot(double(dxy[i]), double(dz[i])) / std::hypot(double(dxyErr[i]), double(dzErr[i]));
  return found;
}

bool hasLeading(Floats pt) {
  std::sort(pt.begin(), pt.end(), std::greater<float>());
  return pt.size() > 1 && pt[0] > 20 && pt[1] > 10;
}

ROOT::RVec<Vector> vectors(const Floats &pt, const Floats &eta, const Floats &phi, const Floats &mass) {
  ROOT::RVec<Vector> found;
  for (size_t i = 0; i < pt.size(); i++) found.emplace_back(pt[i], eta[i], phi[i], mass[i]);
  return found;
}

bool apart(const Vector &a, const Vector &b) { return !(ROOT::Math::VectorUtil::DeltaR(a, b) < 0.02); }

// The mass of two pairs, or 0 where they are no two Z bosons of leptons that are apart.
double massOfPairs(const Vector &a1, const Vector &a2, const Vector &b1, const Vector &b2) {
  double near = (a1 + a2).M(), far = (b1 + b2).M();
  if (std::abs(far - 91.2) < std::abs(near - 91.2)) std::swap(near, far);
  const bool bosons = 40 < near && near < 120 && 12 < far && far < 120;
  return bosons && apart(a1, a2) && apart(b1, b2) ? (a1 + a2 + b1 + b2).M() : 0;
}

double massOfFour(const ROOT::RVec<Vector> &v, const Integers &charge) {
  double nearest = 1e9;
  std::array<int, 4> best{};
  for (int i = 0; i < 4; i++)
    for (int j = i + 1; j < 4; j++) {
      const double distance = std::abs((v[i] + v[j]).M() - 91.2);
      if (charge[i] == charge[j] || distance >= nearest) continue;
      nearest = distance;
      std::vector<int> rest;
      for (int k = 0; k < 4; k++) if (k != i && k != j) rest.push_back(k);
      best = {i, j, rest[0], rest[1]};
    }
  return massOfPairs(v[best[0]], v[best[1]], v[best[2]], v[best[3]]);
}
