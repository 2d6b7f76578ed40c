// The page: finds out which run to show, asks for its state again and again, and hands it to its parts.

import { prepareComparison, showComparison } from "./compare.js";
import { element, find, keep, say, wireAirflowLink } from "./dom.js";
import { age, duration, moment, words } from "./format.js";
import { showPace } from "./pace.js";
import { preparePlot, recolour, showPlot } from "./plot.js";
import { showProgress } from "./progress.js";
import { prepareStage, showStage } from "./stage.js";
import { showTables } from "./tables.js";
import { followTheme } from "./theme.js";
import { prepareTrigger, showTrigger } from "./trigger.js";

const LIVE = 1000; // milliseconds between two looks at a run that goes on
const ENDED = 10000; // at one that has ended: somebody may clear a task
const SOON = 100; // at one that is not drawn yet
const LOST = 3000; // after an answer that was none

const NONE = { run_id: "", state: "has not run yet" };

const asked = new URLSearchParams(window.location.search);
let tag = null; // of the state that is shown
let latest = null;
let drawn = ""; // what of it could not be

class Refused extends Error {}

async function ask(path, parameters = {}) {
  const answer = await fetch(`api/${path}?${new URLSearchParams(parameters)}`, { headers: { Accept: "application/json" } });
  if (answer.ok) return { content: await answer.json(), tag: answer.headers.get("ETag") };
  const detail = answer.status === 401 ? "You are logged out of Airflow: reload the page." : (await answer.json()).detail;
  if (answer.status >= 500) throw new Error(detail);
  throw new Refused(detail);
}

function tell(text) {
  say(find("message"), text);
  find("message").hidden = !text;
}

/** Repeats `look`, which gives the milliseconds until the next time, until it is refused or gives null. */
async function again(look) {
  let pause;
  try {
    pause = document.hidden && latest ? LIVE : await look();
  } catch (error) {
    if (error instanceof Refused) return tell(error.message);
    tell("No answer from Airflow; trying again …");
    pause = LOST;
  }
  if (pause !== null) setTimeout(() => again(look), pause);
}

/** What keeps a state from being shown whole, in words; it is no reason to ask for none any more. */
function shown(show) {
  try {
    show();
    return "";
  } catch (error) {
    return `This page cannot show all of the run (${error.message})`;
  }
}

async function lookAtRun(dagId, runId) {
  const answer = await ask("run", { dag_id: dagId, run_id: runId });
  if (answer.tag !== tag) {
    // A server of several processes reads a run in each of them; what is shown never goes back for that.
    const behind = latest && !answer.content.reading.complete && answer.content.reading.read < latest.reading.read;
    if (!behind) {
      tag = answer.tag;
      latest = answer.content;
      drawn = shown(() => showRun(latest, new URLSearchParams({ dag_id: dagId, run_id: runId })));
    }
  }
  tell([latest.reading.error, drawn].filter(Boolean).join("; "));
  showElapsed();
  if (!latest.chart && latest.clusters.length && !latest.reading.error) return SOON;
  return latest.run.ended_all && latest.reading.complete ? ENDED : LIVE;
}

function showRun(state, query) {
  find("run").hidden = false;
  document.title = `${state.title}: ${state.run.run_id}`;
  say(find("title"), state.title);
  say(find("state"), words(state.run.state));
  find("state").dataset.state = state.run.state;
  say(find("name"), state.run.name ?? "–");
  find("run-link").href = state.run.url;
  find("alone").href = `?${query}`;
  const unplanned = state.run.ended_all && !state.clusters.length; // it has nothing to show but why
  for (const name of ["shards", "files-box", "clusters-box"]) find(name).hidden = unplanned;
  showTrigger(state);
  showStage(state);
  showProgress(state);
  showPace(state);
  const chart = Object.keys(state.chart?.channels ?? {}).length ? state.chart : null; // of a command, perhaps none
  for (const name of ["plot", "yields-box"]) find(name).hidden = !chart && state.run.ended_all;
  if (chart) showPlot(chart);
  showTables(state, query);
  showComparison(state);
}

function showElapsed() {
  const { started, ended } = latest.run;
  const seconds = started ? (ended ?? Date.now() / 1000) - started : 0;
  say(find("elapsed"), started ? `${moment(started)}, ${duration(seconds)}` : "");
}

function showRuns(list, campaign, runs) {
  keep(
    list, runs, (run) => run.run_id,
    (run) => element("li", {}, element("span", { class: "pill" }), " ", run === NONE ? "" : link(campaign, run), element("span", { class: "quiet" })),
    (item, run) => {
      say(item.firstChild, words(run.state));
      item.firstChild.dataset.state = run.state;
      say(item.lastChild, run.started ? ` ${age(run.ended ?? run.started)}` : "");
    },
  );
}

async function showCampaign(dagId, named) {
  const { content: campaign } = await ask("campaign", { dag_id: dagId });
  const runId = named ?? campaign.runs[0]?.run_id;
  if (!runId) {
    tell(`${campaign.title} has not run yet: trigger its DAG.`);
    return LOST;
  }
  const others = campaign.runs.filter((run) => run.run_id !== runId);
  showRuns(find("runs"), campaign, others);
  find("runs-box").hidden = !others.length;
  prepareComparison(
    others,
    (other, show) => again(async () => show((await ask("run", { dag_id: dagId, run_id: other })).content)),
  );
  if (!named) again(() => lookAtRun(dagId, runId));
  return null;
}

async function showCampaigns() {
  const { content } = await ask("campaigns");
  find("campaigns").hidden = false;
  tell(content.length ? "" : "There is no campaign that you may read.");
  keep(
    find("campaign-list"), content, (campaign) => campaign.dag_id,
    (campaign) => element("section", { class: "card" }, element("h2", {}, link(campaign)), element("img", { alt: "", hidden: true }), element("ul", { class: "runs" })),
    (card, campaign) => {
      showThumbnail(card.querySelector("img"), campaign);
      showRuns(card.querySelector("ul"), campaign, campaign.runs.length ? campaign.runs.slice(0, 5) : [NONE]);
    },
  );
  return ENDED;
}

/** Shows the plot of the latest run that surely has one. */
function showThumbnail(image, { dag_id, runs }) {
  const run = runs.find((one) => one.state === "success");
  image.hidden = !run;
  const source = run && `api/file?${new URLSearchParams({ dag_id, run_id: run.run_id, name: "plot" })}`;
  if (run && image.getAttribute("src") !== source) image.src = source;
}

function link(campaign, run) {
  const query = new URLSearchParams(run ? { dag_id: campaign.dag_id, run_id: run.run_id } : { dag_id: campaign.dag_id });
  return element("a", { href: `?${query}` }, run ? run.run_id : campaign.title);
}

wireAirflowLink(find("run-link"));
wireAirflowLink(find("alone"));
preparePlot();
prepareTrigger();
prepareStage();
followTheme(recolour);
const [dag, run] = [asked.get("dag_id"), asked.get("run_id")];
if (dag && run) again(() => lookAtRun(dag, run));
again(() => (dag ? showCampaign(dag, run) : showCampaigns()));
