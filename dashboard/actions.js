// Start, resume, stop. Enabled by the server's state; each asks or answers in place.

import { h, renderOnce } from "./dom.js";
import { list, text } from "./format.js";
import { post } from "./poll.js";
import { page, refreshLive } from "./page.js";
import { isActive } from "./status.js";

const dialog = { asking: false, sending: false, answer: null, profile: null };

/**
 * Draw the buttons into `element`; `below` shows the question and the answer. Without `how` only those that make sense
 * now; with it Train, Refresh and Stop stay in place: {can, run, fields(), refresh(), onRefused(error)}.
 */
export function showActions(element, below, how = null) {
  const can = how?.can ?? page.server?.can ?? {};
  const run = how ? how.run : page.state;
  const stopping = run?.status === "stopping" || Boolean(run?.stop && can.stop === false && run?.current);
  if (!can.stop) dialog.asking = false;
  const key = [can, stopping, dialog.asking, dialog.sending, run?.status, run?.resumable, list(page.server?.profiles), wishedProfile(run)];
  renderOnce(element, key, () => (how ? steadyButtons(can, run, stopping, how) : buttons(can, run, stopping)));
  renderOnce(below, [key, dialog.answer], () => [dialog.asking ? question(run) : null, dialog.answer ? answerLine() : null]);
}

function buttons(can, run, stopping) {
  if (can.stop) return h("button", { type: "button", disabled: dialog.asking, onclick: () => set({ asking: true, answer: null }) }, "Stop…");
  if (stopping) return h("button", { type: "button", disabled: true }, "Stop asked");
  if (!can.train) return null;
  // A run that is still called active but may be started over has lost its orchestrator.
  const resume = isActive(run) || (run?.resumable === true && (run.status === "stopped" || run.status === "failed"));
  return [
    resume ? h("button", { type: "button", class: "primary", disabled: dialog.sending, onclick: () => train({ resume: true }) }, "Resume") : null,
    profileChoice(run),
    h("button", { type: "button", class: resume ? "" : "primary", disabled: dialog.sending, onclick: () => train({ ...chosen(run), ...samePipeline(run) }) }, "Start new run"),
  ];
}

/** Train, Refresh, Stop: always there, enabled by the server's state. */
function steadyButtons(can, run, stopping, how) {
  const button = (words, enabled, act, kind = "") => h("button", { type: "button", class: kind, disabled: !enabled || dialog.sending, onclick: act }, words);
  const resume = can.train && run?.resumable === true;
  return [
    profileChoice(run, how.onProfile),
    resume ? button("Resume", true, () => train({ resume: true })) : null,
    button("Train", can.train === true, () => train({ ...chosen(run), ...how.fields() }, how.onRefused), "primary"),
    button("Refresh", true, how.refresh),
    button(stopping ? "Stop asked" : "Stop…", can.stop === true && !dialog.asking, () => set({ asking: true, answer: null })),
  ];
}

function profileChoice(run, onProfile = () => {}) {
  const profiles = list(page.server?.profiles);
  if (profiles.length < 2) return null;
  const wished = wishedProfile(run);
  const select = h("select", { "aria-label": "Profile of the new run" }, profiles.map((name) => h("option", { value: name, selected: name === wished }, name)));
  select.addEventListener("change", () => { dialog.profile = select.value; onProfile(select.value); });
  return select;
}

/** The profile a new run would have: the one chosen here, else that of the last run, else the configured one. */
export const wishedProfile = (run) => dialog.profile ?? (text(run?.profile) || text(page.server?.default_profile));

/** A new run from the live page is of the kind it shows. */
const samePipeline = (run) => (run?.pipeline === "anomaly" ? { pipeline: run.pipeline } : {});

function chosen(run) {
  const profiles = list(page.server?.profiles);
  const profile = wishedProfile(run);
  return profiles.includes(profile) ? { profile } : {};
}

function question(run) {
  const stop = h("button", { type: "button", class: "danger", disabled: dialog.sending, onclick: askStop }, "Stop the run");
  queueMicrotask(() => stop.focus());
  return h("div", { class: "ask", role: "group", "aria-label": "Stop the run?" },
    h("p", {}, `Stop run ${text(run?.run_id)}? It ends at the next safe boundary: a training step is finished and saved, an exam keeps its answers. Nothing is lost; Resume goes on from there.`),
    stop,
    h("button", { type: "button", onclick: () => set({ asking: false }) }, "Let it run"));
}

function answerLine() {
  const { ok, words, command } = dialog.answer;
  return h("p", { class: ok ? "muted" : "tone failed", role: "status" }, words, command ? ` Next: ${command}` : "");
}

async function askStop() {
  set({ sending: true });
  const answer = await post("/api/stop", { run_id: page.state.run_id });
  set({ sending: false, asking: false, answer: said(answer, "Stop asked by this page.") });
}

async function train(fields, onRefused = () => {}) {
  set({ sending: true, answer: null });
  const answer = await post("/api/train", fields);
  if (!answer.ok) onRefused(answer.error);
  set({ sending: false, answer: said(answer, `Asked by this page: ${text(answer.value?.command)}`) });
}

function said(answer, words) {
  refreshLive();
  return answer.ok ? { ok: true, words } : { ok: false, words: text(answer.error?.message, "It was refused."), command: text(answer.error?.next_command) };
}

let redraw = () => {};
/** Tell who redraws when something was clicked. */
export function onAction(fn) {
  redraw = fn;
}

function set(values) {
  Object.assign(dialog, values);
  redraw();
}

/** What the launcher printed after a start from a page, when it did not become a run. */
export function launchWords(server, state) {
  const last = server?.last_train;
  if (!last || !text(last.said)) return "";
  return text(state?.started_at) > text(last.at) ? "" : text(last.said).trim();
}
