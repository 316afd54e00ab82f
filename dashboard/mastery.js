// Node mastery: weakest first; a cell opens to the prompts where the node was missed.

import { h, keyed, renderOnce, setClass, setText } from "./dom.js";
import { change, isNumber, list, objects, plural, text } from "./format.js";

const ORDER = ["weak", "learning", "mastered", "untested"];
const MARKS = { weak: "✕", learning: "◐", mastered: "●", untested: "○" };
const TONES = { weak: "failed", learning: "warning", mastered: "done", untested: "idle" };

let opened = null;

/** Draw the grid, the counts and the opened node's failures. */
export function showMastery(parts, rows, redraw) {
  const nodes = sorted(objects(rows).filter((row) => text(row.node_type)));
  setText(parts.counts, counts(nodes));
  keyed(parts.grid, nodes, (row) => row.node_type, (row) => makeCell(row, redraw), updateCell);
  parts.grid.dataset.empty = nodes.length ? "" : "true";
  showFailures(parts.failures, nodes.find((row) => row.node_type === opened));
}

const kind = (row) => (row.status in MARKS ? row.status : "untested");

function sorted(nodes) {
  return nodes.sort((a, b) => ORDER.indexOf(kind(a)) - ORDER.indexOf(kind(b)) || (a.f1 ?? 2) - (b.f1 ?? 2) || (a.node_type < b.node_type ? -1 : 1));
}

function counts(nodes) {
  return ORDER.map((status) => [nodes.filter((row) => kind(row) === status).length, status]).filter(([count]) => count).map(([count, status]) => `${count} ${status}`).join(" · ");
}

function makeCell(row, redraw) {
  const button = h("button", { type: "button", class: "cell", "aria-expanded": "false" }, h("span", { class: "mark", "aria-hidden": "true" }), h("span", { class: "node" }), h("span", { class: "number" }));
  button.addEventListener("click", () => {
    opened = opened === row.node_type ? null : row.node_type;
    redraw();
  });
  return h("li", {}, button);
}

function updateCell(item, row) {
  const button = item.firstElementChild;
  const [mark, name, score] = button.children;
  setClass(button, `cell ${TONES[kind(row)]}`);
  setText(mark, MARKS[kind(row)]);
  setText(name, row.node_type);
  setText(score, isNumber(row.f1) ? row.f1.toFixed(2) : "–");
  button.setAttribute("aria-expanded", String(opened === row.node_type));
  button.title = `${row.node_type}: ${kind(row)}, ${plural(row.n ?? 0, "use")} in the exams`;
}

function showFailures(element, row) {
  element.hidden = !row;
  renderOnce(element, row ?? null, () => (row ? detail(row) : null));
}

function detail(row) {
  const before = isNumber(row.previous_f1) && isNumber(row.f1) ? `, ${change(row.f1 - row.previous_f1)} since the version before` : "";
  const [low, high] = list(row.ci95);
  const spread = isNumber(low) && isNumber(high) ? ` (95 % ${low.toFixed(2)}–${high.toFixed(2)})` : "";
  const failures = objects(row.failures);
  return [
    h("p", {}, h("strong", {}, row.node_type), isNumber(row.f1) ? ` F1 ${row.f1.toFixed(2)}${spread}${before}; ${plural(row.n ?? 0, "use")} expected.` : " is not part of any exam prompt yet."),
    failures.length ? h("ul", {}, failures.slice(0, 6).map(failureRow)) : h("p", { class: "muted small" }, "No prompt missed it."),
  ];
}

function failureRow(failure) {
  const missing = list(failure.missing).map((name) => text(name)).filter(Boolean).join(", ");
  const reasons = list(failure.reasons).map((reason) => text(reason)).filter(Boolean).join("; ");
  const lost = reasons || (missing ? `missing ${missing}` : "");
  return h("li", {}, text(failure.instruction), h("span", { class: "muted small" }, `  ${text(failure.prompt_id)}${lost ? `, ${lost}` : ""}`));
}
