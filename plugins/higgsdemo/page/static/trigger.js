// Starts a run of the campaign from the page of another one: what finishes that one, or the same once more.
// Airflow's own form cannot be opened filled in, so this asks for the conf here and gives it to Airflow's API.

import { find, say } from "./dom.js";

const SHARED = "growing"; // the name of runs that go on with each other's folder, without being told

let shown = null; // the state of the run

export function prepareTrigger() {
  find("resume").addEventListener("click", () => offer("Resume this run", ({ storage }) => (
    { ...(storage && { storage }), run_name: shown.run.name, resume: true })));
  find("again").addEventListener("click", () => offer("Run again", ({ run_name, resume, ...chosen }) => chosen));
  find("trigger-go").addEventListener("click", start);
  find("trigger-not").addEventListener("click", () => find("trigger").close());
}

/** Offers to run what has ended once more, and to finish it where shards have no result. */
export function showTrigger(state) {
  shown = state;
  const { run, total } = state;
  find("again").hidden = !run.ended_all;
  find("resume").hidden = !run.ended_all || !run.name || run.name === SHARED || total.done === total.total;
}

async function ask(path, options) {
  const answer = await fetch(`../api/v2/dags/${encodeURIComponent(shown.dag_id)}/dagRuns${path}`, options);
  const content = await answer.json();
  if (answer.ok) return content;
  const detail = typeof content.detail === "string" ? content.detail : JSON.stringify(content.detail);
  throw new Error(detail.split("\n\nFailed validating")[0]); // a screen of JSON Schema follows
}

/** Opens the form with what `choose` makes of the conf that the run was triggered with. */
async function offer(title, choose) {
  say(find("trigger-title"), title);
  await attempt(async () => {
    find("trigger-conf").value = ""; // {} would run all of the campaign
    const { conf } = await ask(`/${encodeURIComponent(shown.run.run_id)}`);
    find("trigger-conf").value = JSON.stringify(choose(conf ?? {}), null, 2);
  });
  find("trigger").showModal();
}

const start = () => attempt(async () => {
  const body = JSON.stringify({ logical_date: null, conf: JSON.parse(find("trigger-conf").value) });
  const { dag_run_id } = await ask("", { method: "POST", body, headers: { "Content-Type": "application/json" } });
  window.location.search = new URLSearchParams({ dag_id: shown.dag_id, run_id: dag_run_id });
});

async function attempt(act) {
  say(find("trigger-refused"), "");
  find("trigger-go").disabled = true; // a second click would start a second run
  try {
    await act();
  } catch (error) {
    say(find("trigger-refused"), error.message);
  }
  find("trigger-go").disabled = false;
}
