// A Blueprint program as a small graph: what an exam answer wired, at a glance. Reads the DSL's lines, nothing else.

import { s } from "./dom.js";

const NODE = /^\s*NODE\s+([^\s:]+)\s*:\s*(\w+)/;
const WIRE = /^\s*(EXEC|DATA)\s+([^\s.]+)\.(\S+?)\s*->\s*([^\s.]+)\.(\S+)/;
const MOST_NODES = 48;
const BOX = { width: 132, height: 24, columnGap: 40, rowGap: 10, margin: 8 };

/** The nodes and wires of a program: {nodes: [{id, type}], wires: [{kind, from, to}]}; broken lines are left out. */
export function readProgram(text) {
  const nodes = [];
  const wires = [];
  let graph = 0;
  for (const line of text.split("\n")) {
    if (/^\s*GRAPH\b/.test(line)) graph += 1;
    const node = NODE.exec(line);
    const wire = WIRE.exec(line);
    if (node && nodes.length < MOST_NODES) nodes.push({ id: `${graph} ${node[1]}`, type: node[2] });
    if (wire) wires.push({ kind: wire[1], from: `${graph} ${wire[2]}`, to: `${graph} ${wire[4]}` });
  }
  const known = new Set(nodes.map((node) => node.id));
  return { nodes, wires: wires.filter((wire) => known.has(wire.from) && known.has(wire.to)) };
}

/** Columns by distance along the wires: execution first, then each value one column before its first use. */
function columnsOf({ nodes, wires }) {
  const exec = wires.filter((wire) => wire.kind === "EXEC");
  const executed = new Set(exec.flatMap((wire) => [wire.from, wire.to]));
  const column = new Map(nodes.map((node) => [node.id, 0]));
  for (let round = 0; round < nodes.length; round += 1) {
    let moved = false;
    for (const { kind, from, to } of wires) {
      // A loop in the execution would push its nodes along for ever; the number of rounds ends that.
      const least = column.get(from) + 1;
      if ((kind === "EXEC" || !executed.has(to) || !executed.has(from)) && column.get(to) < least && least < nodes.length) {
        column.set(to, least);
        moved = true;
      }
    }
    if (!moved) break;
  }
  return column;
}

function place(program) {
  const column = columnsOf(program);
  const used = [...new Set(column.values())].sort((a, b) => a - b);
  const executed = new Set(program.wires.filter((wire) => wire.kind === "EXEC").flatMap((wire) => [wire.from, wire.to]));
  // What is executed lies in the upper rows, values below, so that no wire runs behind a box of the other kind.
  const rows = new Map();
  const next = (kind, index) => {
    const row = rows.get(`${kind} ${index}`) ?? 0;
    rows.set(`${kind} ${index}`, row + 1);
    return row;
  };
  const indexed = program.nodes.map((node) => [node, used.indexOf(column.get(node.id))]);
  const upper = indexed.filter(([node]) => executed.has(node.id)).map(([node, index]) => [node, index, next("exec", index)]);
  const below = Math.max(-1, ...upper.map(([, , row]) => row)) + 1;
  const lower = indexed.filter(([node]) => !executed.has(node.id)).map(([node, index]) => [node, index, below + next("value", index)]);
  return new Map([...upper, ...lower].map(([node, index, row]) => {
    return [node.id, { x: BOX.margin + index * (BOX.width + BOX.columnGap), y: BOX.margin + row * (BOX.height + BOX.rowGap), type: node.type }];
  }));
}

/** Draw a program; null when it has no node. */
export function drawProgram(text) {
  const program = readProgram(text);
  if (!program.nodes.length) return null;
  const places = place(program);
  const width = Math.max(...[...places.values()].map((box) => box.x)) + BOX.width + BOX.margin;
  const height = Math.max(...[...places.values()].map((box) => box.y)) + BOX.height + BOX.margin;
  const label = `${program.nodes.length} nodes, ${program.wires.length} wires: ${program.nodes.map((node) => node.type).join(", ")}`;
  return s("svg", { class: "program-graph", width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label },
    program.wires.map((wire) => drawWire(wire, places)), [...places.values()].map(drawBox));
}

function drawWire({ kind, from, to }, places) {
  const [a, b] = [places.get(from), places.get(to)];
  const [x1, y1, x2, y2] = [a.x + BOX.width, a.y + BOX.height / 2, b.x, b.y + BOX.height / 2];
  const bend = Math.max(18, Math.abs(x2 - x1) / 2);
  return s("path", { class: `wire ${kind === "EXEC" ? "exec" : "value"}`, d: `M${x1} ${y1}C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2} ${y2}` });
}

function drawBox(box) {
  const short = box.type.length > 19 ? `${box.type.slice(0, 18)}…` : box.type;
  return s("g", { class: box.type.startsWith("Event") ? "event" : "" }, s("title", {}, box.type),
    s("rect", { x: box.x, y: box.y, width: BOX.width, height: BOX.height, rx: 3 }), s("text", { x: box.x + 8, y: box.y + 16 }, short));
}
