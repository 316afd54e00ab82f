// The flowchart: stages as boxes that light up, edges for the data that flows, and the chosen stage's details.

import { onResize } from "./chart.js";
import { byId, commandLine, h, keyed, renderOnce, s, setClass, setText } from "./dom.js";
import { layout } from "./flow_layout.js";
import { ago, clockRange, duration, durationRange, exact, isNumber, list, moment, number, objects, text } from "./format.js";
import { logView } from "./log.js";
import { page, startPage } from "./page.js";
import { panZoom, zoomButtons } from "./pan_zoom.js";
import { metricWords } from "./panels.js";
import { link, now } from "./poll.js";
import { bannerOf, isActive, knownStatus, mark, naturalStage, stageOf, stageSeconds, stagesOf, word } from "./status.js";

const NODE_STATUS = { idle: "pending", running: "running", done: "succeeded", fail: "failed" };
const view = { chosen: null, plan: null, planKey: "" };
const log = logView(byId("log"));
// In one column, on a phone, the page itself scrolls.
const zoom = panZoom(byId("frame"), byId("canvas"), () => (view.plan?.mode === "right" ? view.plan : { width: 0, height: 0 }));

function render() {
  const at = now();
  const banner = bannerOf(page.state, link, at);
  const usable = page.state?.run_id && banner.kind !== "outdated";
  showHead(banner, at);
  byId("welcome").hidden = banner.kind !== "idle";
  byId("flow").hidden = byId("details").hidden = !usable;
  document.body.classList.toggle("past", ["offline", "stale", "unreadable"].includes(banner.kind));
  if (!usable) return;
  const state = page.state;
  const until = banner.kind === "live" ? at : moment(state.updated_at) ?? at;
  draw(state, until);
  showDetails(state, stageOf(state, selected(state)), at, until);
}

function showHead(banner, at) {
  const state = page.state;
  setClass(byId("banner"), `panel banner ${banner.status}`);
  setText(byId("mark"), mark(banner.status));
  setText(byId("title"), banner.title);
  setText(byId("identity"), state?.run_id && banner.kind !== "outdated" ? [state.pipeline, state.profile, `run ${text(state.run_id)}`].map((part) => text(part)).filter(Boolean).join(" · ") : "");
  const done = banner.kind === "live" ? clockRange(state.eta?.done_at, at) : "";
  setText(byId("times"), done ? `done ${done}` : "");
  setText(byId("detail"), banner.kind === "idle" ? "" : banner.detail);
  byId("detail").hidden = !byId("detail").textContent;
  renderOnce(byId("command"), banner.command, () => (banner.command && banner.kind !== "idle" ? commandLine(banner.command) : null));
}

const selected = (state) => (stageOf(state, view.chosen) ? view.chosen : naturalStage(state));

function draw(state, at) {
  const flow = byId("flow");
  const stages = stagesOf(state);
  const key = JSON.stringify([flow.clientWidth, state.phases, stages.map((stage) => [stage.id, stage.phase, stage.reads, stage.writes])]);
  if (key !== view.planKey && flow.clientWidth) {
    view.plan = layout(stages.filter((stage) => isNumber(stage.phase)), state.phases, flow.clientWidth);
    view.planKey = key;
    byId("canvas").style.height = byId("frame").style.height = `${view.plan.height}px`;
    byId("zoom").hidden = view.plan.mode !== "right";
    zoom.fit();
  }
  if (!view.plan) return;
  drawEdges(state, selected(state));
  byId("loop-key").hidden = !view.plan.edges.some((edge) => edge.back);
  keyed(byId("headers"), view.plan.headers, (header) => header.id, () => h("li", { class: "phase-head" }, h("span", { class: "mark", "aria-hidden": "true" }), h("span")), (item, header) => placeHeader(item, header, state));
  const drawn = stages.filter((stage) => view.plan.boxes.has(stage.id));
  keyed(byId("boxes"), drawn, (stage) => stage.id, makeBox, (item, stage) => updateBox(item, stage, state, at));
}

function place(element, box) {
  element.style.left = `${box.x}px`;
  element.style.top = `${box.y}px`;
  element.style.width = `${box.width}px`;
  if (box.height) element.style.height = `${box.height}px`;
}

/** A stage's status for the chart: the finer words of the stage, or those of the live `nodes` map. */
const statusOf = (stage, state) => (stage.status ? knownStatus(stage.status) : NODE_STATUS[state.nodes?.[`stage-${stage.id}`]?.status] ?? "pending");

function placeHeader(item, header, state) {
  place(item, header);
  const status = knownStatus(state.nodes?.[`phase-${header.id}`]?.status ?? "idle");
  setClass(item, `phase-head ${status}`);
  setText(item.children[0], mark(status));
  setText(item.children[1], `${header.id} ${header.title}`);
  item.setAttribute("aria-label", `Phase ${header.id} ${header.title}: ${word(status)}`);
}

function makeBox(stage) {
  const button = h("button", { type: "button", class: "box" },
    h("span", { class: "box-title" }, h("span", { class: "mark", "aria-hidden": "true" }), h("span")), h("span", { class: "box-words" }), h("span", { class: "bar thin" }, h("span")));
  button.addEventListener("click", () => { view.chosen = stage.id; render(); });
  button.addEventListener("keydown", (event) => move(event, stage.id));
  return h("li", {}, button);
}

function updateBox(item, stage, state, at) {
  const button = item.firstElementChild;
  const [title, words, bar] = button.children;
  const status = statusOf(stage, state);
  place(button, view.plan.boxes.get(stage.id));
  const on = stage.id === selected(state);
  setClass(button, `box ${status}`);
  button.setAttribute("aria-pressed", String(on));
  button.tabIndex = on ? 0 : -1;
  setText(title.children[0], mark(status));
  setText(title.children[1], text(stage.title, stage.id));
  setText(words, boxWords(stage, at));
  const { done, total } = stage.progress ?? {};
  const share = status === "running" && isNumber(done) && isNumber(total) && total > 0 ? done / total : null;
  bar.hidden = share === null;
  bar.firstElementChild.style.width = `${Math.round(100 * (share ?? 0))}%`;
  button.setAttribute("aria-label", `${text(stage.title, stage.id)}, phase ${text(stage.phase)}, ${word(stage.status)}, ${words.textContent}`);
}

function boxWords(stage, at) {
  if (stage.status === "skipped") return "skipped";
  const seconds = stageSeconds(stage, at);
  if (seconds === null) return durationRange(stage.eta_s) || word(stage.status);
  const { done, total } = stage.progress ?? {};
  if (stage.status === "running" && isNumber(done) && isNumber(total) && total > 0) return `${Math.round((100 * done) / total)}\u202f%`;
  if (stage.status === "retrying") return "retries soon";
  return ["failed", "stopped"].includes(stage.status) ? word(stage.status) : duration(seconds);
}

function drawEdges(state, chosen) {
  const { width, height, edges } = view.plan;
  const done = new Set(stagesOf(state).filter((stage) => ["succeeded", "skipped"].includes(stage.status)).map((stage) => stage.id));
  renderOnce(byId("edges"), [view.planKey, chosen, [...done]], () => s("svg", { width, height, viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" }, arrowHeads(), edges.map((edge) => drawEdge(edge, chosen, done)), loopLabel(edges)));
}

const KINDS = ["data", "model", "result", "loop"];

function arrowHeads() {
  return s("defs", {}, KINDS.map((kind) => s("marker", { id: `arrow-${kind}`, class: kind, viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 7, markerHeight: 7, orient: "auto" }, s("path", { d: "M0 0.5L7.5 4L0 7.5Z" }))));
}

function drawEdge(edge, chosen, done) {
  const near = edge.from === chosen || edge.to === chosen;
  return s("path", { class: `edge ${edge.kind} ${done.has(edge.from) ? "flowed" : ""} ${near ? "near" : ""}`, d: edge.d, "marker-end": `url(#arrow-${edge.kind})` });
}

function loopLabel(edges) {
  const loop = edges.find((edge) => edge.back);
  if (!loop || view.plan.mode !== "right") return null;
  return s("text", { class: "loop-label", x: view.plan.width / 2, y: view.plan.height - 4, "text-anchor": "middle" }, "the next run starts from what this one has not learned yet");
}

/** Arrow keys: left and right to the neighbouring phase, up and down within it. */
function move(event, id) {
  const { boxes } = view.plan;
  const from = boxes.get(id);
  const [dx, dy] = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] }[event.key] ?? [0, 0];
  if (!dx && !dy) return;
  event.preventDefault();
  const order = [...boxes.keys()];
  const down = view.plan.mode === "down";
  const target = down || dy && !boxesIn(boxes, from.column)[from.row + dy] ? order[order.indexOf(id) + dx + dy] : nearestIn(boxes, from, dx, dy);
  if (!target) return;
  view.chosen = target;
  render();
  byId("boxes").querySelector(`[data-key="${CSS.escape(target)}"] button`)?.focus();
}

const boxesIn = (boxes, column) => [...boxes].filter(([, box]) => box.column === column).map(([id]) => id);

function nearestIn(boxes, from, dx, dy) {
  if (dy) return boxesIn(boxes, from.column)[from.row + dy];
  for (let column = from.column + dx; column >= 0 && column <= 99; column += dx) {
    const ids = boxesIn(boxes, column);
    if (ids.length) return ids.reduce((best, id) => (Math.abs(boxes.get(id).y - from.y) < Math.abs(boxes.get(best).y - from.y) ? id : best));
    if (column > 20) break;
  }
  return null;
}

function showDetails(state, stage, at, until) {
  if (!stage) return;
  const status = knownStatus(stage.status);
  setClass(byId("stage-mark"), `mark ${status}`);
  setText(byId("stage-mark"), mark(status));
  setText(byId("stage-title"), text(stage.title, stage.id));
  setText(byId("stage-status"), word(stage.status));
  const seconds = stageSeconds(stage, until);
  const rows = [
    ["Said last", [text(stage.message)]],
    ["Step", [stage.status === "running" ? text(stage.step?.title) : ""]],
    ["Figures", [metricWords(stage, 6).join(" · ")]],
    ["Time", [seconds === null ? durationRange(stage.eta_s) : `${duration(seconds)}, started ${ago(stage.started_at, at)}`]],
    ["Attempt", [stage.attempt > 1 ? `${number(stage.attempt)} of ${text(stage.max_attempts)}` : ""]],
    ["Reads", list(stage.reads).map((path) => text(path))],
    ["Writes", list(stage.writes).map((path) => text(path))],
    ["Script", [text(stage.script)]],
  ].filter(([, lines]) => lines.some(Boolean));
  byId("facts").title = exact(stage.started_at);
  renderOnce(byId("facts"), rows, () => rows.flatMap(([name, lines]) => [h("dt", {}, name), h("dd", { class: ["Reads", "Writes", "Script"].includes(name) ? "mono" : "" }, lines.filter(Boolean).map((line) => h("div", {}, line)))]));
  const error = objects(state.errors).filter((row) => row.stage === stage.id).at(-1);
  renderOnce(byId("error"), error ?? null, () => (error ? [h("p", {}, text(error.message)), text(error.next_command) ? commandLine(text(error.next_command)) : null] : null));
  byId("error").hidden = !error;
  log.show(text(state.run_id), stage.id, `Log: ${text(stage.title)}`, !isActive(state) || Boolean(stage.ended_at));
}

byId("zoom").append(...zoomButtons(zoom, h));
byId("welcome-command").append(commandLine("python launch_pipeline.py"));
onResize(byId("flow"), render);
startPage(render);
