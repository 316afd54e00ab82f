// Axes and scales for our small SVG charts. Pure except for building elements.

import { s } from "./dom.js";
import { number } from "./format.js";

/** Round tick values that cover low..high in about `count` steps. */
export function ticks(low, high, count) {
  const span = high - low || 1;
  const rough = span / Math.max(1, count);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((factor) => factor * power).find((value) => value >= rough);
  const values = [];
  for (let tick = Math.ceil(low / step - 1e-9) * step; tick <= high + step * 1e-6; tick += step) values.push(Number(tick.toPrecision(10)));
  return values;
}

/** Map a value range to a pixel range. */
export function scale([low, high], [from, to]) {
  const span = high - low || 1;
  return (value) => from + ((value - low) / span) * (to - from);
}

/** The frame of a chart: size, margins, scales and the elements of both axes. */
export function frame({ width, height, xRange, yRange, xLabel, yLabel, left = 48, right = 16, below = 34, xFormat = number, yFormat = tickText, xTicks = null }) {
  const box = { left, right: width - right, top: 10, bottom: height - below };
  const x = scale(xRange, [box.left, box.right]);
  const y = scale(yRange, [box.bottom, box.top]);
  const yValues = ticks(yRange[0], yRange[1], Math.max(2, Math.floor((box.bottom - box.top) / 44)));
  const xValues = xTicks ?? ticks(xRange[0], xRange[1], Math.max(2, Math.floor((box.right - box.left) / 90)));
  const axes = [
    ...yValues.map((value) => s("line", { class: "grid", x1: box.left, x2: box.right, y1: y(value), y2: y(value) })),
    ...yValues.map((value) => s("text", { x: box.left - 8, y: y(value) + 4, "text-anchor": "end" }, yFormat(value))),
    ...xValues.map((value) => s("text", { x: x(value), y: box.bottom + 16, "text-anchor": "middle" }, xFormat(value))),
    s("text", { x: (box.left + box.right) / 2, y: height - 3, "text-anchor": "middle" }, xLabel),
    s("text", { x: 12, y: (box.top + box.bottom) / 2, "text-anchor": "middle", transform: `rotate(-90 12 ${(box.top + box.bottom) / 2})` }, yLabel),
  ];
  return { box, x, y, axes };
}

const tickText = (value) => (Number.isInteger(value) ? String(value) : String(Number(value.toFixed(3))));

/** A path through points, as an SVG `d`. */
export function linePath(points, x, y) {
  return points.map(([px, py], index) => `${index ? "L" : "M"}${x(px).toFixed(1)} ${y(py).toFixed(1)}`).join("");
}

/** A short line sample for a legend. */
export function keySample(color, { width = 2, dash = null } = {}) {
  return s("svg", { viewBox: "0 0 18 10", "aria-hidden": "true" }, s("line", { x1: 0, x2: 18, y1: 5, y2: 5, stroke: color, "stroke-width": width, "stroke-dasharray": dash }));
}

/** Call `draw(width, height)` when the element's size changes. */
export function onResize(element, draw) {
  new ResizeObserver(() => draw()).observe(element);
}
