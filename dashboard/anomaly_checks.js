// The checklist of the last run, and what is ready.

import { h, renderOnce } from "./dom.js";
import { objects, text } from "./format.js";
import { mark } from "./status.js";

const READY = { checkpoints_ready: "models", scaler_ready: "scaling", logs_ready: "training logs", configs_ready: "configuration", backup_ready: "bundle", smoke_ready: "scoring", split_policy_ready: "split" };
const WORDS = { done: "passed", failed: "failed", skipped: "skipped", warning: "failed, told only: it holds no run back" };
const BACKUP = 5; // the one item that never makes a run fail

/** pass, fail or skipped as a status of the pages. */
export function checkStatus(item) {
  if (item.state === "skipped") return "skipped";
  if (item.state === "pass") return "done";
  return item.index === BACKUP ? "warning" : "failed";
}

/** "6/7", or empty without a checklist. */
export function checkCount(checklist) {
  const items = objects(checklist);
  return items.length ? `${items.filter((item) => checkStatus(item) === "done").length}/${items.length}` : "";
}

/** Draw the rows and the readiness line. */
export function showChecks(element, checklist, readiness) {
  const items = objects(checklist);
  renderOnce(element, [items, readiness], () => (items.length
    ? [readinessLine(readiness), h("ol", { class: "checks" }, items.map(row))]
    : h("p", { class: "muted panel-body" }, "The first run to its end checks here what it has made: models, scaling, logs, configuration, bundle, repeated scoring, split.")));
}

function row(item) {
  const status = checkStatus(item);
  return h("li", { class: `check ${status}` },
    h("span", { class: "mark", "aria-hidden": "true" }, mark(status)),
    h("div", {}, h("p", {}, h("strong", {}, text(item.title)), h("span", { class: "tone small" }, `  ${WORDS[status]}`)),
      h("p", { class: "muted small" }, text(item.detail)),
      status === "done" ? null : h("p", { class: "small" }, text(item.hint))));
}

function readinessLine(readiness) {
  const known = Object.entries(READY).filter(([key]) => typeof readiness?.[key] === "boolean");
  if (!known.length) return null;
  return h("p", { class: "ready small" }, h("span", { class: "muted" }, "Ready: "), known.map(([key, words]) => {
    const status = readiness[key] ? "done" : "idle";
    return h("span", { class: status }, h("span", { class: "mark", "aria-hidden": "true" }, mark(status)), words, h("span", { class: "visually-hidden" }, readiness[key] ? ": yes" : ": no"));
  }));
}
