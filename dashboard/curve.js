// The loss curve: train, held-out, and the previous version as a thin line.

import { frame, keySample, linePath } from "./chart.js";
import { h, renderOnce, s } from "./dom.js";
import { isNumber, list, number, text } from "./format.js";

const MOST_POINTS = 600;

/** Points that are [number, number], thinned evenly to what a screen can show. */
export function points(value) {
  const good = list(value).filter((pair) => Array.isArray(pair) && isNumber(pair[0]) && isNumber(pair[1]));
  if (good.length <= MOST_POINTS) return good;
  const stride = good.length / MOST_POINTS;
  const thin = Array.from({ length: MOST_POINTS }, (_, index) => good[Math.floor(index * stride)]);
  return [...thin.slice(0, -1), good.at(-1)];
}

/** The lines of a state's curve that have points. */
export function curveLines(curve) {
  const version = text(curve?.previous?.version);
  return [
    { name: version ? `v${version.replace(/^v/, "")}` : "previous", color: "var(--previous-line)", width: 1, data: points(curve?.previous?.train) },
    { name: "train", color: "var(--train-line)", width: 1.75, data: points(curve?.train) },
    { name: "held-out", color: "var(--eval-line)", width: 1.75, dots: true, data: points(curve?.eval) },
  ].filter((line) => line.data.length);
}

/** Draw lines into `element` with a legend in `legend`; redraws only when data or size changed. */
export function showCurve(element, legend, lines, totalSteps = null) {
  const { clientWidth: width, clientHeight: height } = element;
  renderOnce(legend, lines.map((line) => [line.name, line.data.at(-1)]), () => lines.map(legendKey));
  if (!width || !height) return;
  renderOnce(element, [width, height, totalSteps, lines], () => (lines.length ? drawing(lines, width, height, totalSteps) : h("p", { class: "empty muted" }, "The loss curve begins with the first logged training step.")));
}

function legendKey(line) {
  return h("span", { class: "key" }, keySample(line.color, { width: line.width, dash: line.dash }), `${line.name} ${number(line.data.at(-1)[1])}`);
}

function drawing(lines, width, height, totalSteps) {
  const all = lines.flatMap((line) => line.data);
  const last = Math.max(...all.map(([step]) => step), isNumber(totalSteps) ? totalSteps : 0);
  const view = frame({ width, height, xRange: [0, last], yRange: [0, upper(all)], xLabel: "step", yLabel: "loss" });
  const clip = (value) => Math.max(view.box.top, view.y(value));
  const paths = lines.map((line) => s("path", { d: linePath(line.data, view.x, clip), fill: "none", stroke: line.color, "stroke-width": line.width, "stroke-dasharray": line.dash, "stroke-linejoin": "round" }));
  const dots = lines.filter((line) => line.dots).flatMap((line) => line.data.map(([px, py]) => s("circle", { cx: view.x(px), cy: clip(py), r: 2.25, fill: line.color })));
  const label = lines.map((line) => `${line.name} ${number(line.data.at(-1)[1])} at step ${number(line.data.at(-1)[0])}`).join(", ");
  const chart = s("svg", { class: "chart", viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `Loss: ${label}` }, view.axes, paths, dots);
  addCrosshair(chart, lines, view);
  return chart;
}

/** The highest loss to show: outliers of the first steps do not flatten the rest. */
function upper(all) {
  const sorted = all.map(([, loss]) => loss).sort((a, b) => a - b);
  return (sorted[Math.floor(0.98 * (sorted.length - 1))] || 1) * 1.08;
}

function addCrosshair(chart, lines, view) {
  const rule = s("line", { class: "rule", y1: view.box.top, y2: view.box.bottom, visibility: "hidden" });
  const words = s("text", { class: "reading", y: view.box.top + 12, visibility: "hidden" });
  chart.append(rule, words);
  const show = (on) => [rule, words].forEach((element) => element.setAttribute("visibility", on ? "visible" : "hidden"));
  chart.addEventListener("pointerleave", () => show(false));
  chart.addEventListener("pointermove", (event) => {
    const at = event.clientX - chart.getBoundingClientRect().left;
    const near = lines.map((line) => [line, nearest(line.data, at, view.x)]);
    const step = near.at(-1)[1][0];
    const px = view.x(step);
    rule.setAttribute("x1", px);
    rule.setAttribute("x2", px);
    const right = px > (view.box.left + view.box.right) / 2;
    words.setAttribute("x", right ? px - 6 : px + 6);
    words.setAttribute("text-anchor", right ? "end" : "start");
    words.textContent = [`step ${number(step)}`, ...near.map(([line, pair]) => `${line.name} ${number(pair[1])}`)].join(" · ");
    show(true);
  });
}

function nearest(data, at, x) {
  return data.reduce((best, pair) => (Math.abs(x(pair[0]) - at) < Math.abs(x(best[0]) - at) ? pair : best));
}
