// What the data check found: one row per file, with the reasons in words.

import { h, keyed, renderOnce } from "./dom.js";
import { ago, list, objects, plural, text } from "./format.js";
import { STREAMS } from "./anomaly_files.js";
import { mark } from "./status.js";

/** Draw both streams' reports; `reports` is {stream: report or null}, `world` the page's overview. */
export function showQuality(element, world, reports, at) {
  keyed(element, STREAMS, (stream) => stream, () => h("section", { class: "quality" }), (block, stream) => {
    const facts = world.streams?.[stream] ?? {};
    renderOnce(block, [facts.title, facts.quality, reports[stream], ago(facts.quality?.at, at)], () => report(stream, facts, reports[stream], at));
  });
}

function report(stream, facts, told, at) {
  const made = facts.quality;
  const link = made?.report ? h("a", { href: `/api/anomaly/quality/${stream}/report`, target: "_blank" }, "Full report") : null;
  const head = h("div", { class: "stream-head" }, h("h2", {}, text(facts.title, stream)), h("span", { class: "muted small" }, made?.at ? `checked ${ago(made.at, at)}` : ""), link);
  if (!made) return [head, h("p", { class: "muted" }, "Not checked yet. The first stage of a run checks every file and channel.")];
  const files = objects(told?.files);
  if (!files.length) return [head, h("p", { class: "muted" }, "The report names no files.")];
  const dropped = files.filter((file) => file.decision === "drop").length;
  const warned = files.filter((file) => list(file.warnings).length).length;
  const words = [plural(files.length, "file"), dropped ? `${dropped} dropped` : "none dropped", warned ? `${warned} with warnings` : "no warnings"].join(", ");
  return [head, h("p", { class: dropped ? "tone failed" : "muted" }, words), channelNotes(told), table(files)];
}

function channelNotes(told) {
  const dropped = list(told?.dropped_channels).map((channel) => text(channel?.name ?? channel)).filter(Boolean);
  return dropped.length ? h("p", { class: "small" }, `Left out, never measured: ${dropped.join(", ")}.`) : null;
}

function table(files) {
  const ordered = [...files].sort((a, b) => rank(a) - rank(b));
  return h("table", { class: "quality-table" },
    h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "File"), h("th", { scope: "col" }, "Decision"))),
    h("tbody", {}, ordered.map(fileRow)));
}

const rank = (file) => (file.decision === "drop" ? 0 : list(file.warnings).length ? 1 : 2);

function fileRow(file) {
  const [fails, warnings] = [list(file.hard_fails), list(file.warnings)].map((rows) => rows.map((row) => text(row?.message ?? row)).filter(Boolean));
  const status = file.decision === "drop" ? "failed" : warnings.length ? "warning" : "done";
  const part = text(file.part);
  return h("tr", { class: status }, h("td", {}, h("span", { class: "file-name" }, text(file.file_id)), part ? h("span", { class: "muted small" }, ` ${part}`) : null,
    [...fails, ...warnings].map((words) => h("p", { class: "small" }, words))),
    h("td", { class: "tone nowrap" }, `${mark(status)} ${text(file.decision)}`));
}
