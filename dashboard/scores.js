// Exam scores by version, with 95 % intervals: seen, near and unseen prompts as three marks side by side.

import { frame, linePath } from "./chart.js";
import { h, renderOnce, s } from "./dom.js";
import { isNumber, list, objects, text } from "./format.js";

const MOST_VERSIONS = 16;
const SERIES = [
  { key: "seen", color: "var(--previous-line)", shape: "square" },
  { key: "near", color: "var(--eval-line)", shape: "diamond" },
  { key: "unseen", color: "var(--train-line)", shape: "circle" },
];

/** Draw the chart into `element` and its legend into `legend`. */
export function showScores(element, legend, hub) {
  const rows = objects(hub.versions).filter((row) => row.exam).slice(-MOST_VERSIONS);
  const { clientWidth: width, clientHeight: height } = element;
  renderOnce(legend, "once", () => SERIES.map(({ key, color, shape }) => h("span", { class: "key" }, s("svg", { viewBox: "0 0 18 10", "aria-hidden": "true" }, dot(shape, 9, 5, color)), key)));
  if (!width || !height) return;
  const base = hub.base?.unseen?.value;
  renderOnce(element, [width, height, rows, base], () => (rows.length ? drawing(rows, base, width, height) : h("p", { class: "muted panel-body" }, "The first examined version appears here.")));
}

function drawing(rows, base, width, height) {
  const names = rows.map((row) => text(row.version));
  const view = frame({
    width, height, xRange: [-0.5, rows.length - 0.5], yRange: [0, 1], xLabel: "version", yLabel: "exam score",
    xTicks: rows.map((_, index) => index), xFormat: (index) => names[index],
  });
  const marks = SERIES.map((series, order) => seriesMarks(rows, series, order - 1, view));
  const label = rows.map((row) => `${text(row.version)} unseen ${text(row.exam.unseen?.score?.value, "not known")}`).join(", ");
  return s("svg", { class: "chart", viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `Exam scores by version: ${label}` }, view.axes, baseLine(base, view), marks);
}

function baseLine(base, view) {
  if (!isNumber(base)) return [];
  const y = view.y(base);
  return [s("line", { x1: view.box.left, x2: view.box.right, y1: y, y2: y, stroke: "var(--idle)", "stroke-dasharray": "4 4" }),
    s("text", { x: view.box.right, y: y - 5, "text-anchor": "end" }, `base model, unseen ${base.toFixed(2)}`)];
}

function seriesMarks(rows, series, order, view) {
  const shift = Math.min(14, (view.x(1) - view.x(0)) / 5) * order;
  const found = rows.map((row, index) => [index, row.exam[series.key]?.score, row]).filter(([, score]) => isNumber(score?.value));
  const at = (index) => view.x(index) + shift;
  const line = s("path", { d: linePath(found.map(([index, score]) => [index, score.value]), at, view.y), fill: "none", stroke: series.color, "stroke-width": 1.25, opacity: 0.7 });
  return [line, ...found.map(([index, score, row]) => point(at(index), score, row, series, view))];
}

function point(x, score, row, series, view) {
  const [low, high] = list(score.ci95);
  const known = isNumber(low) && isNumber(high);
  const words = `${text(row.version)} ${series.key}: ${score.value.toFixed(3)}${known ? ` (95 % ${low.toFixed(2)} to ${high.toFixed(2)})` : ""}, ${text(row.exam[series.key].n)} prompts`;
  return s("g", {}, s("title", {}, words),
    known ? s("path", { d: `M${x} ${view.y(low)}V${view.y(high)}M${x - 3} ${view.y(low)}h6M${x - 3} ${view.y(high)}h6`, stroke: series.color, "stroke-width": 1.25 }) : null,
    dot(series.shape, x, view.y(score.value), series.color));
}

function dot(shape, x, y, color) {
  if (shape === "circle") return s("circle", { cx: x, cy: y, r: 4, fill: color });
  const size = shape === "square" ? 3.5 : 4.5;
  const d = shape === "square" ? `M${x - size} ${y - size}h${2 * size}v${2 * size}h${-2 * size}Z` : `M${x} ${y - size}L${x + size} ${y}L${x} ${y + size}L${x - size} ${y}Z`;
  return s("path", { d, fill: color });
}
