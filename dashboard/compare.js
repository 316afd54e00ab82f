// Two runs side by side: scores, losses, and the settings that differ.

import { curveLines, points, showCurve } from "./curve.js";
import { h } from "./dom.js";
import { change, isNumber, number, text } from "./format.js";
import { fetchOnce } from "./poll.js";

const SAME = new Set(["run_id", "created_at", "started_at"]);

/** Fetch both runs and draw the comparison into `element`. */
export async function compareRuns(element, ids, versions) {
  element.replaceChildren(h("p", { class: "muted" }, "Reading both runs…"));
  const runs = await Promise.all(ids.map((id) => load(id, versions)));
  const bad = runs.find((run) => run.error);
  if (bad) {
    element.replaceChildren(h("p", { class: "tone failed" }, `Run ${bad.id}: ${text(bad.error.message)}`));
    return;
  }
  const legend = h("div", { class: "legend" });
  const chart = h("div", { class: "compare-curve" });
  element.replaceChildren(h("div", { class: "compare-tables" }, scoreTable(runs), settingTable(runs)), h("div", {}, legend, chart));
  showCurve(chart, legend, bothLines(runs));
}

async function load(id, versions) {
  const [state, config] = await Promise.all([fetchOnce(`/api/runs/${id}`), fetchOnce(`/api/runs/${id}/config`)]);
  if (!state.ok) return { id, error: state.error };
  return { id, state: state.value, config: config.ok ? config.value : null, version: versions.find((row) => row.run_id === id) ?? null };
}

function bothLines(runs) {
  const [first, second] = runs.map((run) => curveLines({ ...run.state.curve, previous: null }));
  const name = (line, run) => ({ ...line, name: `${title(run)} ${line.name}` });
  return [...first.map((line) => ({ ...name(line, runs[0]), dash: "5 4" })), ...second.map((line) => name(line, runs[1]))];
}

const title = (run) => text(run.version?.version, run.id);

function scoreTable(runs) {
  const score = (value) => (isNumber(value) ? value.toFixed(3) : "–");
  const rows = [
    ["unseen score", (run) => run.version?.exam?.unseen?.score?.value, score],
    ["near score", (run) => run.version?.exam?.near?.score?.value, score],
    ["seen score", (run) => run.version?.exam?.seen?.score?.value, score],
    ["valid programs", (run) => run.version?.exam?.all?.valid?.value, score],
    ["evaluation passed", (run) => run.version?.evaluation?.passed],
    ["last loss", (run) => run.version?.loss ?? points(run.state.curve?.train).at(-1)?.[1]],
    ["held-out loss", (run) => run.version?.eval_loss ?? points(run.state.curve?.eval).at(-1)?.[1]],
    ["training rows", (run) => run.version?.train_rows],
    ["seconds", (run) => run.version?.seconds],
  ];
  return h("table", {}, tableHead(["Result", ...runs.map(title), "change"], [1, 2, 3]), h("tbody", {}, rows.map(([name, get, words]) => figureRow(name, runs.map(get), words ?? number))));
}

export function figureRow(name, [first, second], words) {
  const both = isNumber(first) && isNumber(second);
  return h("tr", {}, h("td", {}, name), h("td", { class: "number" }, words(first)), h("td", { class: "number" }, words(second)),
    h("td", { class: "number" }, both ? change(second - first, Number.isInteger(first) && Number.isInteger(second) ? 0 : 3) : ""));
}

function settingTable(runs) {
  if (runs.some((run) => !run.config)) return h("p", { class: "muted" }, "One of the runs has no recorded configuration.");
  return differences(runs.map((run) => run.config), runs.map(title));
}

/** The settings that differ between two configurations, as a table. */
export function differences(configs, titles) {
  const [first, second] = configs.map((config) => flatten(config));
  const names = [...new Set([...Object.keys(first), ...Object.keys(second)])].filter((name) => first[name] !== second[name] && !SAME.has(name)).sort();
  if (!names.length) return h("p", { class: "muted" }, "Both runs used the same settings.");
  return h("table", {}, tableHead(["Setting", ...titles], []), h("tbody", {}, names.map((name) => h("tr", {}, h("td", { class: "mono" }, name.replace(/^config\./, "")), h("td", {}, first[name] ?? "–"), h("td", {}, second[name] ?? "–")))));
}

/** A table's head; `numbers` are the columns that hold figures. */
export function tableHead(names, numbers) {
  return h("thead", {}, h("tr", {}, names.map((name, index) => h("th", { scope: "col", class: numbers.includes(index) ? "number" : "" }, name))));
}

/** {"config": {"lora": {"r": 8}}} as {"config.lora.r": "8"}. */
export function flatten(value, prefix = "", into = {}) {
  for (const [name, child] of Object.entries(value ?? {})) {
    const path = prefix ? `${prefix}.${name}` : name;
    if (child && typeof child === "object" && !Array.isArray(child)) flatten(child, path, into);
    else into[path] = typeof child === "string" ? child : JSON.stringify(child);
  }
  return into;
}
