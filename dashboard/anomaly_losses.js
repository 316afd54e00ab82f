// Live losses of both streams, side by side.

import { curveLines, showCurve } from "./curve.js";
import { h, keyed, setText } from "./dom.js";
import { isNumber, number, objects, text } from "./format.js";
import { STREAMS } from "./anomaly_files.js";
import { mark, stageOf, word } from "./status.js";

export const TRAINING = { patchtst: "22", swinmae: "23" };

/** A stream's losses: those of the run that goes on, else those the newest results keep. */
export function lossesOf(stream, state, results) {
  const live = state?.curves?.[TRAINING[stream]] ?? null;
  if (live?.train?.length || live?.eval?.length || stageOf(state, TRAINING[stream])?.status === "running") return live;
  const rows = objects(results?.metrics?.[stream]?.loss);
  const points = (name) => rows.filter((row) => isNumber(row[name])).map((row) => [row.step ?? row.epoch, row[name]]);
  return rows.length ? { train: points("train_loss"), eval: points("val_loss") } : null;
}

/** Draw one chart per stream into `element`. */
export function showLosses(element, world, state, results) {
  keyed(element, STREAMS, (stream) => stream, () => h("section", { class: "loss" }, h("div", { class: "loss-head" }, h("span", { class: "mark", "aria-hidden": "true" }), h("h3"), h("div", { class: "legend" }), h("span", { class: "muted small" })), h("div", { class: "curve-box" })), (block, stream) => {
    const [head, box] = block.children;
    const [symbol, title, legend, note] = head.children;
    const stage = stageOf(state, TRAINING[stream]);
    symbol.className = `mark ${stage?.status ?? "idle"}`;
    setText(symbol, stage ? mark(stage.status) : "");
    setText(title, text(world.streams?.[stream]?.title, stream));
    setText(note, stage ? stageWords(stage) : state ? "not part of this run" : "");
    showCurve(box, legend, curveLines(lossesOf(stream, state, results)), stage?.progress?.total);
  });
}

function stageWords(stage) {
  const { done, total, unit } = stage.progress ?? {};
  if (stage.status === "running" && isNumber(done) && isNumber(total)) return `${number(done)}/${number(total)} ${text(unit)}`;
  return stage.status === "succeeded" ? "" : word(stage.status);
}
