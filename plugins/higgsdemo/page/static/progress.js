// How far the run is: its stages, its clusters and their datasets.

import { airflowLink, breakable, element, find, keep, say } from "./dom.js";
import { count, eta, rate, words } from "./format.js";

const PARTS = ["done", "running", "failed"]; // the rest of a bar is pending
const OPEN_CLUSTERS = 4; // more than these come with their datasets folded

export function showProgress(state) {
  const { total } = state;
  const over = state.run.ended_all && state.reading.complete;
  showSteps(find("stages"), state.stages);
  if (!find("total").firstChild) find("total").append(makeBar("All shards"));
  updateBar(find("total").firstChild, total);
  showFigures(state, over);
  showFailure(state);
  keep(
    find("clusters"), state.clusters, (cluster) => cluster.name,
    (cluster) => makeCluster(cluster, state.clusters.length <= OPEN_CLUSTERS),
    (card, cluster) => updateCluster(card, cluster, state.causes.filter((cause) => cause.cluster === cluster.name)),
  );
}

/** Why the run has failed; a cluster that has failed alone, while others go on, says so in its own card. */
function showFailure({ causes, advice, run }) {
  const told = causes.filter((cause) => run.ended_all || !cause.cluster);
  find("failure").hidden = !told.length;
  showCauses(find("causes"), told);
  say(find("advice"), advice ?? "");
}

function showCauses(list, causes) {
  keep(
    list, causes, ({ url }) => url ?? "",
    ({ url }) => element("li", {}, element("span"), " ", url ? airflowLink(url, "Log") : ""),
    (item, cause) => say(item.firstChild, cause.text),
  );
}

function showFigures({ total, pods, reading }, ended) {
  const watched = Object.values(pods).some((number) => number); // before, nobody knows what runs
  const figures = [
    ["Done", total.total === null ? count(total.done) : `${count(total.done)} of ${count(total.total)}`],
    ["Failed", count(total.failed)],
    ...(ended ? (total.pending ? [["Never ran", count(total.pending)]] : []) : [
      ["Running", watched ? count(total.running) : "–"],
      ["Pending", count(total.pending)],
      ["Rate", rate(total.rate)],
      ["Time to go", eta(total.eta)],
      ["Pods running", count(pods.running)],
      ["Pods pending", count(pods.pending)],
    ]),
    ...(reading.complete || !reading.found ? [] : [["Results read", reading.found > reading.read ? `${count(reading.read)} of ${count(reading.found)}` : count(reading.read)]]),
  ];
  keep(
    find("figures"), figures, ([name]) => name,
    ([name]) => element("div", {}, element("dt", {}, name), element("dd")),
    (row, [, text]) => say(row.lastChild, text),
  );
}

function showSteps(list, steps) {
  keep(
    list, steps, (step) => step.name,
    makeStep,
    (item, step) => {
      item.dataset.state = step.state ?? "none";
      item.firstChild.title = `Task ${step.name}: ${words(step.state)}`;
      say(item.querySelector("span"), `: ${words(step.state)}`);
    },
  );
}

function makeStep({ label, url }) {
  const mark = element("i", { "aria-hidden": "true" });
  return element("li", {}, airflowLink(url, mark, label, element("span", { class: "hidden" })));
}

function makeBar(label) {
  const bar = element("div", { class: "bar", role: "progressbar", "aria-label": label, "aria-valuemin": 0 });
  bar.append(...PARTS.map((part) => element("span", { class: part })));
  return bar;
}

function updateBar(bar, shards) {
  const whole = shards.done + shards.running + shards.failed + shards.pending; // of those that are listed
  PARTS.forEach((part, position) => {
    bar.children[position].style.width = whole ? `${(100 * shards[part]) / whole}%` : "0";
  });
  bar.setAttribute("aria-valuemax", Math.max(whole, 1));
  bar.setAttribute("aria-valuenow", shards.done);
  bar.setAttribute("aria-valuetext", shards.said);
  bar.title = shards.said;
}

function makeCluster(cluster, open) {
  const where = [cluster.provider, cluster.location, `${cluster.nodes} node${cluster.nodes > 1 ? "s" : ""}`];
  const columns = ["Dataset", "Shards", "Done", "Running", "Failed", "Rate", "To go"];
  return element(
    "section", { class: "card cluster", "aria-label": `Cluster ${cluster.name}` },
    element("header", {}, element("h3", {}, cluster.name), element("span", { class: "quiet" }, where.filter(Boolean).join(" · "))),
    element("ol", { class: "steps", "aria-label": `Steps of ${cluster.name}` }),
    makeBar(`Shards of cluster ${cluster.name}`),
    element("p", { class: "counts" }),
    element("ul", { class: "causes bad" }),
    element(
      "details", { open },
      element("summary", {}, `${cluster.datasets.length} dataset${cluster.datasets.length > 1 ? "s" : ""}`),
      element(
        "div", { class: "scroll", tabindex: 0, role: "region", "aria-label": `Datasets of ${cluster.name}` },
        element(
          "table", {},
          element("caption", { class: "hidden" }, `Datasets of cluster ${cluster.name}`),
          element("thead", {}, element("tr", {}, ...columns.map((name) => element("th", { scope: "col" }, name)))),
          element("tbody"),
        ),
      ),
    ),
  );
}

function updateCluster(card, cluster, causes) {
  const { shards } = cluster;
  showSteps(card.querySelector("ol"), cluster.steps);
  updateBar(card.querySelector(".bar"), shards);
  const pace = shards.rate ? ` · ${rate(shards.rate)}` : "";
  const rest = shards.eta === null ? "" : ` · ${eta(shards.eta)} to go`;
  say(card.querySelector(".counts"), `${shards.said}${pace}${rest}`);
  const waiting = cluster.waiting ? [{ text: `Waiting: ${cluster.waiting}` }] : [];
  showCauses(card.querySelector(".causes"), [...causes, ...waiting]);
  keep(
    card.querySelector("tbody"), cluster.datasets, (dataset) => dataset.name, makeDataset,
    (row, dataset) => updateDataset(row, dataset.shards),
  );
}

function makeDataset(dataset) {
  const bar = element("td", {}, makeBar(`Shards of ${dataset.name}`));
  const cells = Array.from({ length: 5 }, () => element("td"));
  return element("tr", {}, element("th", { scope: "row" }, ...breakable(dataset.name)), bar, ...cells);
}

function updateDataset(row, shards) {
  updateBar(row.querySelector(".bar"), shards);
  const done = shards.total === null ? "" : `${count(shards.done)}/${count(shards.total)}`;
  const texts = [done, count(shards.running), count(shards.failed), rate(shards.rate), eta(shards.eta)];
  texts.forEach((text, position) => say(row.cells[position + 2], text));
  row.cells[4].classList.toggle("bad", shards.failed > 0);
}
