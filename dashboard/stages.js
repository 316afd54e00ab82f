// The stage list: phases with their stages, each a button that selects its log. Arrow keys move.

import { h, keyed, setClass, setText } from "./dom.js";
import { duration, durationRange, exact, isNumber, number, objects, text } from "./format.js";
import { knownStatus, mark, stageSeconds, stagesOf, word } from "./status.js";

/** Draw the list into `element`; `selected` is a stage key, `choose(key)` is called on a click. */
export function showStages(element, state, selected, now, choose) {
  const rows = rowsOf(state);
  keyed(element, rows, (row) => row.key, (row) => (row.stage ? stageRow(row, choose) : h("li", { class: "phase" })), (item, row) => {
    if (row.stage) updateStage(item, row.stage, statusOf(row.stage, state), selected, now);
    else setText(item, row.title);
  });
}

function rowsOf(state) {
  const stages = stagesOf(state);
  const titles = new Map(objects(state?.phases).map((phase) => [phase.id, text(phase.title)]));
  const rows = [];
  let phase = null;
  for (const stage of stages) {
    if (stage.phase !== phase && isNumber(stage.phase)) {
      phase = stage.phase;
      rows.push({ key: `phase-${phase}`, title: `${phase} ${titles.get(phase) ?? ""}` });
    }
    rows.push({ key: `stage-${stage.id}`, stage });
  }
  return rows;
}

function stageRow(row, choose) {
  const button = h("button", { type: "button", class: "stage" },
    h("span", { class: "mark", "aria-hidden": "true" }), h("span", { class: "title" }), h("span", { class: "time number" }), h("span", { class: "sub" }));
  button.addEventListener("click", () => choose(row.stage.id));
  button.addEventListener("keydown", (event) => moveFocus(event, button));
  return h("li", {}, button);
}

const statusOf = (stage, state) => (state?.waiting?.stage === stage.id ? "waiting" : knownStatus(stage.status));

function updateStage(item, stage, status, selected, now) {
  const button = item.firstElementChild;
  const [symbol, title, time, sub] = button.children;
  setClass(button, `stage ${status}`);
  setText(symbol, mark(status));
  setText(title, text(stage.title, stage.id));
  setText(time, timeWords(stage, now));
  setText(sub, subWords(stage));
  sub.hidden = sub.textContent === "";
  if (stage.id === selected) button.setAttribute("aria-current", "true");
  else button.removeAttribute("aria-current");
  const label = `${text(stage.title, stage.id)}, ${word(status)}${stage.message ? `, ${text(stage.message)}` : ""}`;
  if (button.title !== label) button.title = label;
  button.setAttribute("aria-label", `${label}, ${time.textContent}`);
  time.title = exact(stage.started_at);
}

function timeWords(stage, now) {
  if (stage.status === "skipped") return "skipped";
  const seconds = stageSeconds(stage, now);
  return seconds === null ? durationRange(stage.eta_s) : duration(seconds);
}

function subWords(stage) {
  if (stage.status !== "running" && stage.status !== "retrying") return "";
  const step = stage.step ? `${text(stage.step.id)} ${text(stage.step.title)}`.trim() : "";
  const { done, total } = stage.progress ?? {};
  const share = isNumber(done) && isNumber(total) && total > 0 ? `${number(Math.round((100 * done) / total))}\u202f%` : "";
  const attempt = stage.attempt > 1 ? `attempt ${text(stage.attempt)}` : "";
  return [step, share, attempt].filter(Boolean).join(" · ");
}

function moveFocus(event, button) {
  const steps = { ArrowDown: 1, ArrowUp: -1 };
  if (!(event.key in steps)) return;
  event.preventDefault();
  const buttons = [...button.closest("ol").querySelectorAll("button")];
  buttons[buttons.indexOf(button) + steps[event.key]]?.focus();
}
