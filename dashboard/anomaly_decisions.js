// What came out: scores with thresholds, events as bands, and a table of the events with their channels.

import { STREAMS } from "./anomaly_files.js";
import { h, keyed, renderOnce } from "./dom.js";
import { clock, duration, isNumber, list, number, objects, percent, plural, text } from "./format.js";
import { scoreChart } from "./score_chart.js";
import { mark } from "./status.js";

const TONES = { anomaly: "failed", warn: "warning", normal: "done" };
const chosen = { event: null };
const charts = new Map();

/** What a stage's chart file holds, as the chart draws it. Pure. */
export function chartOf(stream, value, at) {
  const points = objects(value?.points).filter((point) => isNumber(point.score)).map((point, index) => ({ x: isNumber(point.index) ? point.index : index, y: point.score, file: text(point.file_id), time: point.time ?? null }));
  const files = points.filter((point, index) => index === 0 || points[index - 1].file !== point.file).map((point) => ({ x: point.x, name: point.file }));
  return {
    stream, points, files, key: JSON.stringify([value?.run_id, value?.label, points.length, points.at(-1)]),
    thresholds: { warn: value?.thresholds?.warn, anomaly: value?.thresholds?.anomaly },
    rates: { warn: value?.thresholds?.alpha_warn, anomaly: value?.thresholds?.alpha_anomaly }, note: text(value?.detector),
    events: objects(value?.events).map((event) => eventBand(event, points)), nameOf: (x) => placeWords(points, x, at),
  };
}

function eventBand(event, points) {
  return { id: text(event.id), state: event.state === "warn" ? "warn" : "anomaly", from: event.from, to: event.to, words: text(event.id), points: points.length };
}

function placeWords(points, x, at) {
  const near = nearest(points, x);
  if (!near) return "";
  // Without a clock of its own every file begins at zero: which file it is says more.
  if (isNumber(near.time)) return `${near.file.split("/").at(-1).replace(/\.\w+$/, "").slice(0, 20)} ${timeWords(near.time, at)}`;
  return timeWords(near.time, at) || `#${number(Math.round(near.x))}`;
}

function nearest(points, x) {
  let [low, high] = [0, points.length - 1];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (points[middle].x <= x) low = middle;
    else high = middle;
  }
  return points[high] && Math.abs(points[high].x - x) < Math.abs(points[low].x - x) ? points[high] : points[low];
}

/** A data time: a moment where the file had one, else seconds from its beginning. */
export function timeWords(value, at) {
  if (isNumber(value)) return value < 60 ? `${number(value, 1)}\u202fs` : duration(value);
  return typeof value === "string" && Date.parse(value) ? clock(value, at) : "";
}

/** Draw both streams' charts, then the events of both; `results` is {label, summary, charts, alarms}. */
export function showDecisions(element, world, results, at) {
  const streams = STREAMS.filter((stream) => results.charts[stream]);
  renderOnce(element, [streams.length > 0, results.label], () => (streams.length ? [h("div", { class: "remarks" }), h("div", { class: "score-charts" }), h("div", { class: "events" })] : h("p", { class: "muted panel-body" }, results.label ? "Reading the decisions…" : "After scoring: the score of every window with both thresholds, events as bands, and the channels that caused them.")));
  if (!streams.length) return;
  const [remarks, boxes, events] = element.children;
  const drawn = new Map(streams.map((stream) => [stream, chartOf(stream, results.charts[stream], at)]));
  keyed(boxes, streams, (stream) => stream, (stream) => chartBox(stream, world), (_, stream) => charts.get(stream).show(drawn.get(stream), chosen.event));
  const titles = Object.fromEntries(streams.map((stream) => [stream, text(world.streams?.[stream]?.title, stream)]));
  const said = streams.flatMap((stream) => remarksOn(results.summary?.streams?.[stream], titles[stream]));
  renderOnce(remarks, said, () => said.map(({ tone, words }) => h("p", { class: `small ${tone}` }, tone === "warning" ? h("span", { class: "mark", "aria-hidden": "true" }, mark("warning")) : null, words)));
  renderOnce(events, [results.alarms, chosen.event, titles], () => eventTable(streams, results.alarms, drawn, titles, at));
}

/** What must be known before a stream's decisions are believed: synthetic data, drift, files too short to be judged. */
function remarksOn(told, title) {
  const rows = list(told?.warnings).map((words) => ({ tone: "warning", words: `${title}: ${text(words)}` }));
  const short = list(told?.too_short).map((each) => text(each?.file_id ?? each)).filter(Boolean);
  if (short.length) rows.push({ tone: "warning", words: `${title}: too short to be judged: ${short.join(", ")}` });
  if (told?.data?.source === "synthetic") rows.push({ tone: "muted", words: `${title}: synthetic data, not of your machine.${realised(told.realised)}` });
  return rows;
}

function realised(found) {
  if (!isNumber(found?.far_anomaly)) return "";
  return ` ${number(found.faults_found)} of ${plural(found.faults, "fault")} found; of the normal windows ${percent(found.far_warn, 1)} above warn, ${percent(found.far_anomaly, 1)} above anomaly.`;
}

function chartBox(stream, world) {
  const box = h("div", { class: "score-chart" });
  charts.set(stream, scoreChart(box, text(world.streams?.[stream]?.title, stream), (id) => pick(stream, id)));
  return box;
}

let redraw = () => {};
/** Tell who redraws after a click. */
export function onDecision(fn) {
  redraw = fn;
}

/** Choose an event, and look at it with what is around. */
function pick(stream, id, band = null) {
  chosen.event = chosen.event === id ? null : id;
  if (band && chosen.event) {
    const around = Math.max(20, 2 * (band.to - band.from));
    charts.get(stream).look(band.from - around, band.to + around);
  }
  redraw();
}

function eventTable(streams, alarms, drawn, titles, at) {
  const rows = streams.flatMap((stream) => objects(alarms[stream]?.rows).map((row) => ({ stream, row })));
  if (streams.some((stream) => !alarms[stream])) return h("p", { class: "muted small" }, "Reading the events…");
  if (!rows.length) return h("p", { class: "tone done" }, `${mark("done")} No event: nothing stayed beyond the anomaly threshold.`);
  const total = streams.reduce((sum, stream) => sum + (alarms[stream].total ?? 0), 0);
  const head = [["Event", ""], ["Data", ""], ["Start", ""], ["Took", "number"], ["Peak", "number"], ["p", "number"], ["Channels, strongest first", ""]];
  return [h("table", { class: "event-table" },
    h("thead", {}, h("tr", {}, head.map(([name, kind]) => h("th", { scope: "col", class: kind }, name)))),
    h("tbody", {}, rows.map(({ stream, row }) => eventRow(stream, row, drawn.get(stream), titles[stream], at)))),
    total > rows.length ? h("p", { class: "muted small" }, `The first ${number(rows.length)} of ${number(total)}; Save has all.`) : null];
}

function eventRow(stream, row, chart, title, at) {
  const id = text(row.event_id, text(row.id));
  const tone = TONES[row.state] ?? "failed";
  const band = chart.events.find((event) => event.id === id) ?? null;
  const button = h("button", { type: "button", class: "quiet event-pick", "aria-pressed": String(id === chosen.event) }, h("span", { class: "mark", "aria-hidden": "true" }, mark(tone)), text(row.state));
  button.addEventListener("click", () => pick(stream, id, band));
  const cell = (words, kind = "", hover = null) => h("td", { class: kind, title: hover }, words);
  return h("tr", { class: `${tone} ${id === chosen.event ? "chosen" : ""}` }, h("td", { class: "tone" }, button),
    cell([title, h("span", { class: "muted file-name" }, ` ${text(row.file, text(row.file_id))}`)]),
    cell(startWords(row.start, at), "nowrap", `${text(row.start)} to ${text(row.end)}`), cell(tookWords(row), "number"),
    cell(figure(row.peak_score), "number", `at ${text(row.peak_time)}`), cell(figure(row.p_min), "number"), h("td", {}, channelWords(row.channels)));
}

/** A start from a table of texts: a moment, or seconds from the beginning of the file. */
const startWords = (value, at) => (text(value) !== "" && Number.isFinite(Number(value)) ? `at ${duration(Number(value))}` : timeWords(value, at) || text(value));

const figure = (value) => (value === "" || value === null || value === undefined || Number.isNaN(Number(value)) ? "–" : number(Number(value)));

function tookWords(row) {
  const seconds = Number(row.duration_s ?? row.duration);
  return Number.isFinite(seconds) && text(row.duration_s ?? row.duration) !== "" ? duration(seconds) || "–" : `${text(row.windows)} windows`;
}

/** "pressure 0.62; flow 0.2" as "pressure 62 %, flow 20 %", the first one strong. */
function channelWords(value) {
  const named = text(value).split(";").map((part) => part.trim()).filter(Boolean).map((part) => {
    const [, name, share] = part.match(/^(.*) ([01]\.\d+)$/) ?? [];
    return name ? `${name} ${percent(Number(share))}` : part;
  });
  const [first, ...others] = named;
  return first ? [h("strong", {}, first), h("span", { class: "muted" }, others.slice(0, 3).map((words) => `, ${words}`).join(""))] : "–";
}

/** "2 events, 31 of 1,240 windows anomalous" per stream, from a run's summary. */
export function outcomeWords(summary, world) {
  const words = STREAMS.filter((stream) => summary?.streams?.[stream]).map((stream) => {
    const told = summary.streams[stream].summary ?? {};
    const counts = told.decision_counts ?? {};
    const events = isNumber(told.events) ? `${plural(told.events, "event")}, ` : "";
    return `${text(world.streams?.[stream]?.title, stream)}: ${events}${number(counts.anomaly ?? 0)} of ${plural(told.window_count ?? 0, "window")} anomalous`;
  });
  return words.length ? `${words.join(". ")}.` : "";
}
