// A graph of nodes that light up: layers from left to right, line below line; drag, pan, zoom, fit, arrow keys.

import { onResize } from "./chart.js";
import { h, keyed, renderOnce, s, setClass, setText } from "./dom.js";
import { text } from "./format.js";
import { drag, panZoom, zoomButtons } from "./pan_zoom.js";
import { mark, word } from "./status.js";

const NODE = { width: 144, height: 44, gapX: 26, gapY: 12, line: 24, edge: 8 };
const STATUSES = new Set(["idle", "running", "done", "fail", "skipped"]);

/**
 * Where the nodes of a view go in `width` pixels. A view is {layers: [[{id, label}]], edges: [[from, to]]}; layers that
 * do not fit into one line go on in the next one, in the other direction, so that edges stay short. Pure.
 */
export function placeNodes(view, width) {
  const step = NODE.width + NODE.gapX;
  const perLine = Math.max(2, Math.floor((width - 2 * NODE.edge + NODE.gapX) / step));
  const places = new Map();
  let top = NODE.edge;
  for (let first = 0; first < view.layers.length; first += perLine) {
    const line = view.layers.slice(first, first + perLine);
    const backwards = (first / perLine) % 2 === 1;
    const height = Math.max(...line.map((layer) => stack(layer.length)));
    line.forEach((layer, index) => {
      const x = NODE.edge + (backwards ? perLine - 1 - index : index) * step;
      const y = top + (height - stack(layer.length)) / 2;
      layer.forEach((node, row) => places.set(node.id, { x, y: y + row * (NODE.height + NODE.gapY) }));
    });
    top += height + NODE.line;
  }
  const right = Math.max(...[...places.values()].map((place) => place.x)) + NODE.width + NODE.edge;
  return { places, size: { width: right, height: top - NODE.line + NODE.edge } };
}

const stack = (count) => count * NODE.height + (count - 1) * NODE.gapY;

/** A node's status as the state tells it; a node nobody has spoken of is idle. */
export const nodeStatus = (nodes, id) => (STATUSES.has(nodes?.[id]?.status) ? nodes[id].status : "idle");

/** The status of an edge: that of the node it has reached, once there was anything to flow. */
export function edgeStatus(from, to, over = false) {
  if (to !== "idle" && to !== "skipped") return from === "idle" ? "idle" : to;
  return from === "done" && !over ? "ready" : "idle";
}

/** The most urgent status among a view's nodes. */
export function viewStatus(view, nodes) {
  const all = view.layers.flat().map((node) => nodeStatus(nodes, node.id));
  if (all.includes("fail")) return "fail";
  if (all.includes("running")) return "running";
  return isOver(view, nodes) ? "done" : "idle";
}

/** Whether a view's last nodes are done: what is idle then was left out. */
const isOver = (view, nodes) => view.layers.at(-1).every((node) => nodeStatus(nodes, node.id) === "done");

/** Make a graph in `root`; its show(view, nodes) draws, onChoose(node) is told what was clicked. */
export function nodeGraph(root, { label, onChoose = () => {} }) {
  const edges = h("div", { class: "graph-edges" });
  const boxes = h("ol", { class: "graph-nodes" });
  const canvas = h("div", { class: "graph-canvas" }, edges, boxes);
  const frame = h("div", { class: "graph-frame", tabindex: "0", role: "group", "aria-label": `${label}; plus, minus and 0 zoom, arrow keys move` }, canvas);
  const graph = { view: null, nodes: {}, plan: null, width: 0, moved: new Map(), chosen: null, boxes, edges, onChoose };
  graph.controls = panZoom(frame, canvas, () => graph.plan?.size ?? { width: 0, height: 0 });
  root.replaceChildren(frame);
  onResize(frame, () => redraw(graph, frame));
  return {
    buttons: () => zoomButtons(graph.controls, h),
    chosen: () => graph.chosen,
    show(view, nodes) {
      if (graph.view?.id !== view.id) Object.assign(graph, { plan: null, chosen: null });
      Object.assign(graph, { view, nodes: nodes ?? {} });
      redraw(graph, frame);
    },
  };
}

function redraw(graph, frame) {
  if (!graph.view || !frame.clientWidth) return;
  const resized = graph.width !== `${frame.clientWidth} ${frame.clientHeight}`;
  if (!graph.plan || resized) {
    graph.plan = placeNodes(graph.view, frame.clientWidth);
    graph.width = `${frame.clientWidth} ${frame.clientHeight}`;
    graph.controls.refit();
  }
  const all = graph.view.layers.flat();
  keyed(graph.boxes, all, (node) => `${graph.view.id} ${node.id}`, (node) => makeNode(graph, node), (item, node) => updateNode(graph, item, node));
  drawEdges(graph);
}

const placeOf = (graph, id) => graph.moved.get(`${graph.view.id} ${id}`) ?? graph.plan.places.get(id);

function makeNode(graph, node) {
  const button = h("button", { type: "button", class: "graph-node" },
    h("span", { class: "node-title" }, h("span", { class: "mark", "aria-hidden": "true" }), h("span", {}, node.label)), h("span", { class: "node-words" }));
  let dragged = false;
  button.addEventListener("pointerdown", (event) => {
    dragged = false;
    if (event.pointerType !== "touch") drag(button, event, (dx, dy) => move(graph, node.id, dx / graph.controls.scale(), dy / graph.controls.scale()), (was) => { dragged = was; });
  });
  button.addEventListener("click", () => { if (!dragged) choose(graph, node.id); });
  button.addEventListener("keydown", (event) => onKey(graph, event, node.id));
  return h("li", {}, button);
}

function updateNode(graph, item, node) {
  const button = item.firstElementChild;
  const [title, words] = button.children;
  const status = nodeStatus(graph.nodes, node.id);
  const message = text(graph.nodes[node.id]?.message);
  const place = placeOf(graph, node.id);
  Object.assign(button.style, { left: `${place.x}px`, top: `${place.y}px`, width: `${NODE.width}px`, height: `${NODE.height}px` });
  setClass(button, `graph-node ${status}`);
  setText(title.firstElementChild, mark(status));
  // What an idle one will do, its name says.
  setText(words, status !== "idle" ? message || word(status) : isOver(graph.view, graph.nodes) ? "left out" : word(status));
  const first = graph.view.layers[0][0].id;
  button.tabIndex = node.id === (graph.chosen ?? first) ? 0 : -1;
  button.setAttribute("aria-pressed", String(node.id === graph.chosen));
  button.setAttribute("aria-label", [node.label, word(status), message].filter(Boolean).join(", "));
  if (button.title !== message) button.title = message;
}

function move(graph, id, dx, dy) {
  const place = placeOf(graph, id);
  graph.moved.set(`${graph.view.id} ${id}`, { x: place.x + dx, y: place.y + dy });
  redrawHere(graph);
}

function redrawHere(graph) {
  for (const item of graph.boxes.children) {
    const node = graph.view.layers.flat().find((each) => `${graph.view.id} ${each.id}` === item.dataset.key);
    if (node) updateNode(graph, item, node);
  }
  drawEdges(graph);
}

function choose(graph, id) {
  graph.chosen = graph.chosen === id ? null : id;
  redrawHere(graph);
  graph.onChoose(graph.chosen);
}

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

function onKey(graph, event, id) {
  const way = ARROWS[event.key];
  if (!way) return;
  event.preventDefault();
  if (event.shiftKey) {
    move(graph, id, way[0] * 16, way[1] * 16);
    return;
  }
  const next = neighbour(graph, id, way);
  if (next) graph.boxes.querySelector(`[data-key="${CSS.escape(`${graph.view.id} ${next}`)}"] button`)?.focus();
}

/** The nearest node in a direction; what lies aside counts double. */
function neighbour(graph, id, [dx, dy]) {
  const from = placeOf(graph, id);
  let best = null;
  for (const node of graph.view.layers.flat()) {
    const to = placeOf(graph, node.id);
    const [ahead, aside] = dx ? [(to.x - from.x) * dx, Math.abs(to.y - from.y)] : [(to.y - from.y) * dy, Math.abs(to.x - from.x)];
    const far = ahead + 2 * aside;
    if (node.id !== id && ahead > 4 && (!best || far < best.far)) best = { id: node.id, far };
  }
  return best?.id ?? null;
}

function drawEdges(graph) {
  const { view, nodes } = graph;
  const over = isOver(view, nodes);
  const drawn = view.edges.map(([from, to]) => ({ d: edgePath(placeOf(graph, from), placeOf(graph, to)), status: spared(graph, from, to) ? "done" : edgeStatus(nodeStatus(nodes, from), nodeStatus(nodes, to), over) }));
  const { width, height } = graph.plan.size;
  renderOnce(graph.edges, [width, height, drawn], () => s("svg", { width, height, "aria-hidden": "true" }, heads(), drawn.map(({ d, status }) => s("path", { class: `graph-edge ${status}`, d, "marker-end": `url(#graph-${status})` }))));
}

/** Whether a node is not to blame for the failure of the next one, because another one before it has failed. */
function spared({ view, nodes }, from, to) {
  if (nodeStatus(nodes, to) !== "fail" || nodeStatus(nodes, from) !== "done") return false;
  return view.edges.some(([other, end]) => end === to && nodeStatus(nodes, other) === "fail");
}

const heads = () => s("defs", {}, ["idle", "ready", "running", "done", "fail"].map((status) => s("marker", { id: `graph-${status}`, class: `graph-head ${status}`, viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 9, markerHeight: 9, markerUnits: "userSpaceOnUse", orient: "auto" }, s("path", { d: "M0 0.5L7.5 4L0 7.5Z" }))));

/** A curve from the side of one box that looks at the other. */
function edgePath(from, to) {
  const [w, half] = [NODE.width, NODE.height / 2];
  const gap = to.x - from.x;
  if (Math.abs(gap) < w) return vertical(from, to);
  const [x1, x2] = gap > 0 ? [from.x + w, to.x] : [from.x, to.x + w];
  const [y1, y2] = [from.y + half, to.y + half];
  const bend = (x2 - x1) / 2;
  return `M${x1} ${y1}C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2} ${y2}`;
}

function vertical(from, to) {
  const down = to.y > from.y;
  const [x1, x2] = [from.x + NODE.width / 2, to.x + NODE.width / 2];
  const [y1, y2] = down ? [from.y + NODE.height, to.y] : [from.y, to.y + NODE.height];
  const bend = (y2 - y1) / 2;
  return `M${x1} ${y1}C${x1} ${y1 + bend} ${x2} ${y2 - bend} ${x2} ${y2}`;
}
