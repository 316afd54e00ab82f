// Earlier anomaly runs: choose one to see its decisions, or two to compare.

import { differences, figureRow, flatten, tableHead } from "./compare.js";
import { curveLines, showCurve } from "./curve.js";
import { h, keyed, renderOnce, setText } from "./dom.js";
import { ago, exact, isNumber, number, objects, text } from "./format.js";
import { STREAMS } from "./anomaly_files.js";
import { fetchOnce } from "./poll.js";

const picked = new Set();
const compared = { key: "", runs: null };

/** Draw the table of runs and, with two chosen, their comparison. */
export function showHistory(element, world, at, redraw) {
  const runs = objects(world.history);
  renderOnce(element, runs.length > 0, () => (runs.length ? frameOf() : h("p", { class: "muted panel-body" }, "Every run to its end is listed here, and two of them can be compared.")));
  if (!runs.length) return;
  keyed(element.querySelector("tbody"), runs, (run) => run.run_id, (run) => makeRow(run, redraw), (row, run) => updateRow(row, run, at));
  const ids = [...picked].filter((id) => runs.some((run) => run.run_id === id));
  setText(element.querySelector(".hint"), ids.length === 1 ? "Choose a second run to compare." : ids.length ? "" : "Choose two runs to compare.");
  showComparison(element.querySelector(".comparison"), ids.sort(), world, redraw);
}

function frameOf() {
  const head = [["", ""], ["Run", ""], ["Made", ""], ["Checks", "number"], ["Events", "number"], ["Val. loss, sensors", "number"], ["Val. loss, vibration", "number"]];
  return [h("p", { class: "muted small hint", role: "status" }),
    h("div", { class: "scroll" }, h("table", {}, h("thead", {}, h("tr", {}, head.map(([name, kind]) => h("th", { scope: "col", class: kind }, name || h("span", { class: "visually-hidden" }, "Compare"))))), h("tbody"))),
    h("div", { class: "comparison" })];
}

function makeRow(run, redraw) {
  const box = h("input", { type: "checkbox", "aria-label": `Compare run ${text(run.run_id)}` });
  box.addEventListener("change", () => {
    if (box.checked) picked.add(run.run_id);
    else picked.delete(run.run_id);
    if (picked.size > 2) picked.delete([...picked][0]);
    redraw();
  });
  return h("tr", {}, h("td", {}, box), ["mono", "", "number", "number", "number", "number"].map((name) => h("td", { class: name })));
}

function updateRow(row, run, at) {
  const [pick, id, made, checks, events, ...losses] = row.children;
  pick.firstElementChild.checked = picked.has(run.run_id);
  setText(id, run.run_id);
  setText(made, ago(run.timestamp, at));
  made.title = exact(run.timestamp);
  setText(checks, isNumber(run.checklist?.passed) ? `${run.checklist.passed}/${run.checklist.total}` : "–");
  const counts = STREAMS.map((stream) => run.scores?.[stream]?.summary?.events).filter(isNumber);
  setText(events, counts.length ? number(counts.reduce((sum, count) => sum + count, 0)) : "–");
  STREAMS.forEach((stream, index) => setText(losses[index], number(run.final_val_loss?.[stream])));
}

function showComparison(element, ids, world, redraw) {
  const key = ids.join(" ");
  if (ids.length !== 2) compared.key = "";
  element.hidden = ids.length !== 2;
  if (ids.length !== 2) return;
  if (compared.key !== key) {
    Object.assign(compared, { key, runs: null });
    load(ids, key, redraw);
  }
  const { runs } = compared;
  renderOnce(element, [key, runs !== null], () => (runs ? comparison(runs, world) : h("p", { class: "muted" }, "Reading both runs…")));
  if (runs && !runs.some((run) => !run.ok)) drawCurves(element, runs);
}

async function load(ids, key, redraw) {
  const runs = await Promise.all(ids.map(async (id) => ({ id, ...(await fetchOnce(`/api/anomaly/history/${id}`)) })));
  if (compared.key !== key) return;
  compared.runs = runs;
  redraw();
}

function comparison(runs, world) {
  const bad = runs.find((run) => !run.ok);
  if (bad) return h("p", { class: "tone failed" }, `Run ${bad.id}: ${text(bad.error?.message)}`);
  const names = runs.map((run) => run.id);
  return [h("div", { class: "compare-side" }, resultTable(runs, world, names), differences(runs.map((run) => ({ ...run.value?.settings, diff: undefined })), names)),
    h("div", { class: "compare-curves" }, STREAMS.map((stream) => h("div", { "data-stream": stream }, h("div", { class: "loss-head" }, h("h3", {}, `${text(world.streams?.[stream]?.title, stream)}, loss`), h("div", { class: "legend" })), h("div", { class: "curve-box" }))))];
}

/** Figures of a snapshot, as [name, value]. */
function figures(snapshot, world) {
  const rows = [["checks passed", objects(snapshot?.checklist).filter((item) => item.state === "pass").length]];
  for (const stream of STREAMS) {
    const title = text(world.streams?.[stream]?.title, stream).toLowerCase();
    const losses = objects(snapshot?.metrics?.[stream]?.loss);
    rows.push([`${title}: training loss`, losses.findLast((row) => isNumber(row.train_loss))?.train_loss], [`${title}: validation loss`, losses.findLast((row) => isNumber(row.val_loss))?.val_loss]);
    const told = snapshot?.scores?.[stream];
    for (const [name, value] of Object.entries(flatten({ ...told?.summary, ...told?.realised }))) rows.push([`${title}: ${name.replaceAll(/[_.]/g, " ")}`, Number(value)]);
    for (const name of ["warn", "anomaly"]) rows.push([`${title}: ${name} threshold`, told?.thresholds?.[name]]);
  }
  return rows;
}

function resultTable(runs, world, names) {
  const [first, second] = runs.map((run) => new Map(figures(run.value, world)));
  const rows = [...new Set([...first.keys(), ...second.keys()])].filter((name) => isNumber(first.get(name)) || isNumber(second.get(name)));
  return h("table", {}, tableHead(["Result", ...names, "change"], [1, 2, 3]), h("tbody", {}, rows.map((name) => figureRow(name, [first.get(name), second.get(name)], number))));
}

function drawCurves(element, runs) {
  for (const box of element.querySelectorAll("[data-stream]")) {
    const [head, chart] = box.children;
    const lines = runs.flatMap((run, index) => curveLines(curveOf(run.value, box.dataset.stream)).map((line) => ({ ...line, name: `${run.id.split("-").at(-1)} ${line.name}`, dash: index ? null : "5 4" })));
    showCurve(chart, head.querySelector(".legend"), lines);
  }
}

function curveOf(snapshot, stream) {
  const rows = objects(snapshot?.metrics?.[stream]?.loss);
  const points = (name) => rows.filter((row) => isNumber(row[name])).map((row) => [row.step ?? row.epoch, row[name]]);
  return { train: points("train_loss"), eval: points("val_loss") };
}
