// For a stage: the page as a full screen with the run's four stages as a checklist, and a link to pass on.

import { element, find, keep, say } from "./dom.js";

const CHECKLIST = { create: ["create_cluster"], prepare: ["prepull_image"], submit: ["submit_jobs", "wait_for_jobs"], cleanup: ["cleanup_jobs", "delete_clusters"] };
const DONE = ["success", "skipped"];

/** A frame of Airflow may neither fill the screen nor copy, so this is for the page alone. */
export function prepareStage() {
  find("passing").hidden = window.parent !== window;
  find("full").addEventListener("click", () => document.documentElement.requestFullscreen());
  find("copy").hidden = !navigator.clipboard; // a browser has none without TLS
  find("copy").addEventListener("click", async () => {
    await navigator.clipboard.writeText(window.location.href);
    say(find("copy"), "Link copied");
  });
}

export function showStage(state) {
  find("alone").hidden = window.parent === window;
  const tasks = [...state.stages, ...state.clusters.flatMap((cluster) => cluster.steps)];
  keep(
    find("checklist"), Object.entries(CHECKLIST), ([name]) => name,
    ([name]) => element("li", {}, element("i", {}), name),
    (item, [, names]) => {
      const states = tasks.filter((task) => names.includes(task.name)).map((task) => task.state);
      item.dataset.state = standing(states);
      item.setAttribute("aria-label", `${item.textContent}: ${item.dataset.state}`);
    },
  );
}

function standing(states) {
  if (states.some((state) => state === "failed" || state === "upstream_failed")) return "failed";
  if (states.length && states.every((state) => DONE.includes(state))) return states.includes("success") ? "success" : "skipped";
  return states.some(Boolean) ? "running" : "to do";
}
