// Scores over time with both thresholds and events as bands; drag, wheel or keys zoom in.

import { frame, keySample, linePath, onResize } from "./chart.js";
import { h, renderOnce, s, setText } from "./dom.js";
import { isNumber, number, percent } from "./format.js";

const STEP = 1.5; // zoom per wheel notch or key
const LEAST = 8; // windows: closer than this shows nothing new
const TALL = 30; // scores beyond this many anomaly thresholds are drawn on a logarithmic scale
export const LINES = { anomaly: "var(--failed)", warn: "var(--warning)" };

/** Make a chart in `root`; show(chart, chosenEvent) draws, look(from, to) zooms to windows. `chart` is chartOf()'s. */
export function scoreChart(root, label, onChoose) {
  const head = h("div", { class: "score-head" });
  const body = h("div", { class: "score-body", tabindex: "0", role: "group", "aria-label": `${label}: plus, minus and arrow keys zoom and move, 0 shows all` });
  const view = { chart: null, range: null, chosen: null, body, head, label, onChoose };
  root.replaceChildren(head, body);
  listen(view);
  onResize(body, () => draw(view));
  return {
    show(chart, chosen) {
      // Other results: begin with all of them.
      if (view.chart?.key !== chart.key) view.range = null;
      Object.assign(view, { chart, chosen });
      draw(view);
    },
    look(from, to) { setRange(view, from, to); },
  };
}

const whole = (chart) => [chart.points[0]?.x ?? 0, chart.points.at(-1)?.x ?? 1];

function setRange(view, from, to) {
  const [low, high] = whole(view.chart);
  const width = Math.min(high - low, Math.max(LEAST, to - from));
  const first = Math.min(high - width, Math.max(low, (from + to - width) / 2));
  view.range = width >= high - low ? null : [first, first + width];
  draw(view);
}

function zoom(view, factor, share = 0.5) {
  const [from, to] = view.range ?? whole(view.chart);
  const width = (to - from) * factor;
  const at = from + (to - from) * share;
  setRange(view, at - width * share, at + width * (1 - share));
}

function pan(view, share) {
  const [from, to] = view.range ?? whole(view.chart);
  setRange(view, from + (to - from) * share, to + (to - from) * share);
}

function listen(view) {
  const { body } = view;
  body.addEventListener("keydown", (event) => {
    const act = { "+": () => zoom(view, 1 / STEP), "=": () => zoom(view, 1 / STEP), "-": () => zoom(view, STEP), 0: () => { view.range = null; draw(view); }, ArrowLeft: () => pan(view, -0.2), ArrowRight: () => pan(view, 0.2) }[event.key];
    if (!act || !view.chart || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    act();
  });
  body.addEventListener("wheel", (event) => {
    if (!view.box || !view.chart) return;
    // Zoomed out already: the wheel scrolls what is around.
    if (event.deltaY > 0 && !view.range) return;
    event.preventDefault();
    zoom(view, event.deltaY < 0 ? 1 / STEP : STEP, shareAt(view, event));
  }, { passive: false });
  body.addEventListener("dblclick", () => { view.range = null; draw(view); });
  body.addEventListener("pointerdown", (event) => select(view, event));
}

function shareAt(view, event) {
  const at = event.clientX - view.body.getBoundingClientRect().left;
  return Math.min(1, Math.max(0, (at - view.box.left) / (view.box.right - view.box.left)));
}

/** Drag over a stretch to zoom to it. */
function select(view, down) {
  if (!view.box || down.button !== 0 || down.pointerType === "touch") return;
  const first = shareAt(view, down);
  const mark = s("rect", { class: "selection", y: view.box.top, height: view.box.bottom - view.box.top, width: 0 });
  let last = first;
  const onMove = (event) => {
    last = shareAt(view, event);
    const [a, b] = [first, last].sort((x, y) => x - y).map((share) => view.box.left + share * (view.box.right - view.box.left));
    if (!mark.isConnected) view.body.firstElementChild.append(mark);
    mark.setAttribute("x", a);
    mark.setAttribute("width", b - a);
  };
  const onUp = () => {
    document.removeEventListener("pointermove", onMove);
    document.removeEventListener("pointerup", onUp);
    mark.remove();
    if (Math.abs(last - first) < 0.01) return;
    const [from, to] = view.range ?? whole(view.chart);
    const [a, b] = [first, last].sort((x, y) => x - y).map((share) => from + share * (to - from));
    setRange(view, a, b);
  };
  document.addEventListener("pointermove", onMove);
  document.addEventListener("pointerup", onUp);
}

function draw(view) {
  const { chart, body, range, chosen, head, label } = view;
  const { clientWidth: width, clientHeight: height } = body;
  if (!chart || !width || !height) return;
  renderOnce(head, [chart.key, chart.thresholds, range], () => headLine(view));
  renderOnce(body, [width, height, chart.key, range, chosen], () => (chart.points.length ? drawing(view, width, height) : h("p", { class: "muted panel-body" }, `${label}: nothing has been judged.`)));
}

function headLine(view) {
  const { thresholds, rates } = view.chart;
  const rate = (name) => (isNumber(rates[name]) ? h("span", { class: "small" }, ` (${percent(rates[name], rates[name] < 0.01 ? 1 : 0)} of normal windows)`) : null);
  const keys = ["anomaly", "warn"].filter((name) => isNumber(thresholds[name])).map((name) => h("span", { class: "key" }, keySample(LINES[name], { dash: "5 3", width: 1.5 }), `${name} ${number(thresholds[name])}`, rate(name)));
  const all = h("button", { type: "button", class: "quiet", hidden: !view.range, onclick: () => { view.range = null; draw(view); view.body.focus(); } }, "Show all");
  return [h("h3", {}, view.label), h("div", { class: "legend" }, keys), h("span", { class: "muted small detector" }, view.chart.note), all];
}

/** Points in sight; beyond two per pixel the largest of each pixel is kept, so that no peak is lost. */
export function visible(points, [from, to], most) {
  const inside = points.filter((point, index) => (points[index + 1] ?? point).x >= from && (points[index - 1] ?? point).x <= to);
  if (inside.length <= most) return inside;
  const kept = [];
  const size = inside.length / (most / 2);
  for (let first = 0; first < inside.length; first += size) {
    const bin = inside.slice(Math.floor(first), Math.max(Math.floor(first) + 1, Math.floor(first + size)));
    const [low, high] = bin.reduce(([a, b], point) => [point.y < a.y ? point : a, point.y > b.y ? point : b], [bin[0], bin[0]]);
    kept.push(...(low.x <= high.x ? [low, high] : [high, low]));
  }
  return kept;
}

function drawing(view, width, height) {
  const { chart } = view;
  const range = view.range ?? whole(chart);
  const points = visible(chart.points, range, 2 * width);
  const { scale, yRange, yLabel } = heights(chart, points);
  const grid = frame({ width, height, xRange: range, yRange, xLabel: "", yLabel, left: 52, xFormat: (x) => chart.nameOf(x), yFormat: scale.words, xTicks: ticksOf(range, width, isNumber(chart.points[0].time) ? 200 : 130), below: 22 });
  view.box = grid.box;
  const y = (value) => grid.y(scale.of(value));
  const bands = chart.events.filter((event) => event.to >= range[0] && event.from <= range[1]).map((event) => band(view, event, grid));
  const rules = ["anomaly", "warn"].filter((name) => isNumber(chart.thresholds[name])).map((name) => s("line", { x1: grid.box.left, x2: grid.box.right, y1: y(chart.thresholds[name]), y2: y(chart.thresholds[name]), stroke: LINES[name], "stroke-width": 1.5, "stroke-dasharray": "5 3" }));
  const ends = chart.files.slice(1).filter((file) => file.x > range[0] && file.x < range[1]).map((file) => s("line", { class: "file-end", x1: grid.x(file.x), x2: grid.x(file.x), y1: grid.box.top, y2: grid.box.bottom }));
  const line = s("path", { d: linePath(points.map((point) => [point.x, point.y]), grid.x, y), fill: "none", stroke: "var(--train-line)", "stroke-width": 1.25, "stroke-linejoin": "round" });
  const clip = s("clipPath", { id: `clip-${chart.stream}` }, s("rect", { x: grid.box.left, y: 0, width: grid.box.right - grid.box.left, height }));
  const words = `${view.label}: ${chart.points.length} scores, ${chart.events.length} events`;
  const svg = s("svg", { class: "chart", viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": words }, s("defs", {}, clip), grid.axes, s("g", { "clip-path": `url(#clip-${chart.stream})` }, bands, ends, rules, line));
  addReading(svg, view, points, grid, y);
  return svg;
}

function heights(chart, points) {
  const values = [...points.map((point) => point.y), ...Object.values(chart.thresholds)].filter(isNumber);
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const tall = low > 0 && isNumber(chart.thresholds.anomaly) && high > TALL * chart.thresholds.anomaly;
  const log = { of: (value) => Math.log10(Math.max(value, low)), words: (value) => number(10 ** value) };
  const plain = { of: (value) => value, words: undefined };
  const scale = tall ? log : plain;
  const [from, to] = tall ? [Math.log10(low), Math.log10(high)] : [Math.min(0, low), high];
  return { scale, yRange: [from, from + (to - from || 1) * 1.06], yLabel: tall ? "score, log" : "score" };
}

/** Evenly spaced ticks, as many as their words leave room for. */
function ticksOf([from, to], width, room) {
  const count = Math.max(2, Math.floor(width / room));
  return Array.from({ length: count }, (_, index) => from + ((index + 0.5) / count) * (to - from));
}

function band(view, event, grid) {
  const [x1, x2] = [grid.x(event.from), grid.x(event.to)];
  const wide = Math.max(3, x2 - x1);
  const rect = s("rect", { class: `band ${event.state} ${event.id === view.chosen ? "chosen" : ""}`, x: x2 - x1 < 3 ? x1 - 1.5 : x1, width: wide, y: grid.box.top, height: grid.box.bottom - grid.box.top }, s("title", {}, event.words));
  rect.addEventListener("click", () => view.onChoose(event.id));
  return rect;
}

function addReading(svg, view, points, grid, y) {
  const dot = s("circle", { r: 3, fill: "var(--text)", visibility: "hidden" });
  const words = s("text", { class: "reading", y: grid.box.top + 10, visibility: "hidden" });
  svg.append(dot, words);
  const show = (on) => [dot, words].forEach((element) => element.setAttribute("visibility", on ? "visible" : "hidden"));
  svg.addEventListener("pointerleave", () => show(false));
  svg.addEventListener("pointermove", (event) => {
    const at = event.clientX - svg.getBoundingClientRect().left;
    const near = points.reduce((best, point) => (Math.abs(grid.x(point.x) - at) < Math.abs(grid.x(best.x) - at) ? point : best));
    const px = grid.x(near.x);
    dot.setAttribute("cx", px);
    dot.setAttribute("cy", y(near.y));
    const right = px > (grid.box.left + grid.box.right) / 2;
    words.setAttribute("x", right ? px - 8 : px + 8);
    words.setAttribute("text-anchor", right ? "end" : "start");
    setText(words, [number(near.y), view.chart.nameOf(near.x), isNumber(near.time) ? "" : near.file].filter(Boolean).join(" · "));
    show(true);
  });
}
