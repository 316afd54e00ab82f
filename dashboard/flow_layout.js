// Where the flowchart's boxes and edges go. Pure: stages, phases and a width in, coordinates out.

import { isNumber, list, objects, text } from "./format.js";

const BOX = { height: 76, gap: 16, channel: 28, top: 60, lane: 11, side: 20, widest: 190 };
const COLUMN_BELOW = 900; // pixels: narrower than this the phases go from top to bottom

/** What a path holds: decides the colour of its edges. */
export function kindOf(path) {
  if (path.startsWith("models/")) return "model";
  if (path.startsWith("results/") || path.startsWith("logs/")) return "result";
  return "data";
}

/**
 * The edges: {from, to, paths, kind, back}. A stage reads what the latest stage before it has written under the same
 * name; a stage that reads only whole folders gets one edge from their latest writer. A file that only a later stage
 * writes is the loop back.
 */
export function edgesOf(stages) {
  const edges = new Map();
  stages.forEach((stage, index) => {
    const before = stages.slice(0, index).reverse();
    const after = stages.slice(index + 1);
    let found = false;
    for (const path of paths(stage.reads)) {
      const writer = before.find((other) => paths(other.writes).includes(path));
      const later = writer || path.endsWith("/") ? null : after.find((other) => paths(other.writes).includes(path));
      if (writer) add(edges, writer, stage, path, false);
      if (later) add(edges, later, stage, path, true);
      found ||= Boolean(writer);
    }
    if (!found) addFolderEdge(edges, stage, before);
  });
  return [...edges.values()];
}

const paths = (value) => list(value).map((path) => text(path)).filter(Boolean);

function add(edges, from, to, path, back) {
  const key = `${from.id} ${to.id} ${kindOf(path)}`;
  const edge = edges.get(key) ?? { from: from.id, to: to.id, paths: [], kind: back ? "loop" : kindOf(path), back };
  edge.paths.push(path);
  edges.set(key, edge);
}

function addFolderEdge(edges, stage, before) {
  const folders = paths(stage.reads).filter((path) => path.endsWith("/"));
  for (const other of before) {
    const path = paths(other.writes).find((written) => folders.some((folder) => written.startsWith(folder)));
    if (path) {
      add(edges, other, stage, path, false);
      return;
    }
  }
}

/** Boxes by stage id, phase headers, edge paths and the size they need. */
export function layout(stages, phases, width) {
  const columns = columnsOf(stages, phases);
  return width < COLUMN_BELOW ? downwards(columns, edgesOf(stages), width) : rightwards(columns, edgesOf(stages), width);
}

function columnsOf(stages, phases) {
  const ids = [...new Set([...objects(phases).map((phase) => phase.id), ...stages.map((stage) => stage.phase)])].filter(isNumber).sort((a, b) => a - b);
  const titles = new Map(objects(phases).map((phase) => [phase.id, text(phase.title)]));
  return ids.map((id) => ({ id, title: titles.get(id) ?? "", stages: stages.filter((stage) => stage.phase === id) }));
}

function rightwards(columns, edges, width) {
  const inner = width - 2 * BOX.side;
  const count = Math.max(1, columns.length);
  const boxWidth = Math.min(BOX.widest, (inner - BOX.channel * (count - 1)) / count);
  const tallest = Math.max(1, ...columns.map((column) => column.stages.length));
  const middle = BOX.top + stackHeight(tallest) / 2;
  const boxes = new Map();
  const headers = [];
  columns.forEach((column, index) => {
    const x = BOX.side + index * (boxWidth + BOX.channel);
    headers.push({ id: column.id, title: column.title, x, y: 16, width: boxWidth });
    const top = middle - stackHeight(column.stages.length) / 2;
    column.stages.forEach((stage, row) => boxes.set(stage.id, { x, y: top + row * (BOX.height + BOX.gap), width: boxWidth, height: BOX.height, column: index, row }));
  });
  const bottom = BOX.top + stackHeight(tallest) + 10;
  const { routed, lanes } = route(edges, boxes, bottom);
  return { mode: "right", width, height: bottom + lanes * BOX.lane + 22, boxes, headers, edges: routed };
}

const stackHeight = (count) => count * BOX.height + Math.max(0, count - 1) * BOX.gap;

/** Edges to the next column go straight through the channel; longer ones take a lane below the boxes. */
function route(edges, boxes, bottom) {
  const entries = new Map();
  const lanes = new Map();
  const laneOf = (key) => {
    if (!lanes.has(key)) lanes.set(key, lanes.size);
    return bottom + lanes.get(key) * BOX.lane + 6;
  };
  // The loop back gets its lane last, below the others.
  const ordered = [...edges.filter((edge) => !edge.back), ...edges.filter((edge) => edge.back)];
  const routed = ordered.map((edge) => {
    const [from, to] = [boxes.get(edge.from), boxes.get(edge.to)];
    const arrival = entries.get(edge.to) ?? 0;
    entries.set(edge.to, arrival + 1);
    const inY = to.y + to.height * (0.3 + 0.2 * (arrival % 3));
    return { ...edge, d: rounded(waypoints(edge, from, to, inY, laneOf)) };
  });
  return { routed, lanes: lanes.size };
}

const OFFSETS = { data: 8, model: 14, result: 20, loop: 11 };

function waypoints(edge, from, to, inY, laneOf) {
  const offset = OFFSETS[edge.kind];
  const outX = from.x + from.width;
  const outY = from.y + from.height / 2;
  if (from.column === to.column) return sameColumn(from, to, outX, offset);
  if (!edge.back && to.column === from.column + 1) return [[outX, outY], [outX + offset, outY], [outX + offset, inY], [to.x, inY]];
  const lane = laneOf(edge.back ? `back ${edge.from}` : `${edge.from} ${edge.kind}`);
  const enterX = edge.back ? to.x - 10 : to.x - BOX.channel + offset;
  return [[outX, outY], [outX + offset, outY], [outX + offset, lane], [enterX, lane], [enterX, inY], [to.x, inY]];
}

function sameColumn(from, to, outX, offset) {
  const x = from.x + from.width / 2;
  if (to.row === from.row + 1) return [[x, from.y + from.height], [x, to.y]];
  return [[outX, from.y + from.height / 2], [outX + offset, from.y + from.height / 2], [outX + offset, to.y + to.height * 0.4], [outX, to.y + to.height * 0.4]];
}

function downwards(columns, edges, width) {
  const boxes = new Map();
  const headers = [];
  const x = 40;
  const boxWidth = width - x - 12;
  let y = 8;
  columns.forEach((column, index) => {
    headers.push({ id: column.id, title: column.title, x, y, width: boxWidth });
    y += 26;
    column.stages.forEach((stage, row) => {
      boxes.set(stage.id, { x, y, width: boxWidth, height: 48, column: index, row });
      y += 48 + 8;
    });
    y += 8;
  });
  const loops = edges.filter((edge) => edge.back).map((edge) => loopEdge(edge, boxes));
  return { mode: "down", width, height: y, boxes, headers, edges: loops };
}

function loopEdge(edge, boxes) {
  const [from, to] = [boxes.get(edge.from), boxes.get(edge.to)];
  const [y1, y2] = [from.y + from.height / 2, to.y + to.height / 2];
  return { ...edge, d: rounded([[from.x, y1], [16, y1], [16, y2], [to.x, y2]]) };
}

/** A path through points with rounded corners. */
export function rounded(points, radius = 6) {
  const [first, ...rest] = points;
  let d = `M${first[0]} ${first[1]}`;
  rest.forEach((point, index) => {
    const next = rest[index + 1];
    const before = index === 0 ? first : rest[index - 1];
    if (!next) {
      d += `L${point[0]} ${point[1]}`;
      return;
    }
    const [a, b] = [toward(point, before, radius), toward(point, next, radius)];
    d += `L${a[0]} ${a[1]}Q${point[0]} ${point[1]} ${b[0]} ${b[1]}`;
  });
  return d;
}

function toward([x, y], [tx, ty], radius) {
  const length = Math.hypot(tx - x, ty - y) || 1;
  const share = Math.min(radius, length / 2) / length;
  return [Number((x + (tx - x) * share).toFixed(1)), Number((y + (ty - y) * share).toFixed(1))];
}
