// Hardware, and what went wrong in words.

import { commandLine, h, renderOnce } from "./dom.js";
import { ago, duration, exact, isNumber, megabytes, number, objects, text } from "./format.js";
import { changeWords, mark, retryCause, retryWords, stageOf, stopWords } from "./status.js";

/** CPU, memory, disk and each GPU as labelled bars. */
export function showHardware(element, state) {
  const hardware = state?.hardware ?? null;
  renderOnce(element, hardware, () => {
    const rows = hardware ? meters(hardware) : [];
    return rows.length ? rows.map(meter) : h("p", { class: "muted" }, "Not measured yet.");
  });
}

function meters(hardware) {
  const rows = [];
  const cpu = hardware.cpu_percent;
  if (isNumber(cpu)) rows.push({ name: "CPU", value: `${number(Math.round(cpu))}\u202f%`, share: cpu <= 100 ? cpu / 100 : null });
  if (isNumber(hardware.memory_used_mb)) rows.push(amount("Memory", hardware.memory_used_mb, hardware.memory_total_mb));
  if (isNumber(hardware.disk_free_mb)) rows.push({ name: "Disk", value: `${megabytes(hardware.disk_free_mb)} free`, share: null });
  for (const gpu of objects(hardware.gpus)) rows.push(...gpuMeters(gpu));
  return rows;
}

function gpuMeters(gpu) {
  const facts = [text(gpu.name, "GPU"), isNumber(gpu.power_w) ? `${number(gpu.power_w)}\u202fW` : "", isNumber(gpu.temperature_c) ? `${number(gpu.temperature_c)}\u202f°C` : ""];
  const used = gpu.utilization_percent;
  return [
    { name: `GPU ${text(gpu.index)}`, value: facts.filter(Boolean).join(" · "), share: null, title: text(gpu.bus_id) },
    isNumber(used) ? { name: "  busy", value: `${number(used)}\u202f%`, share: used / 100 } : null,
    amount("  memory", gpu.memory_used_mb, gpu.memory_total_mb),
  ].filter(Boolean);
}

function amount(name, used, total) {
  const known = isNumber(used) && isNumber(total) && total > 0;
  return { name, value: known ? `${megabytes(used)} of ${megabytes(total)}` : megabytes(used), share: known ? used / total : null, scarce: true };
}

function meter(row) {
  const fill = h("span", { class: row.scarce && row.share > 0.92 ? "high" : "" });
  if (row.share !== null) fill.style.width = `${Math.min(100, Math.round(row.share * 100))}%`;
  return h("div", { class: "meter", title: row.title ?? null },
    h("span", { class: "meter-name" }, row.name), h("span", { class: "bar thin", hidden: row.share === null }, fill), h("span", { class: "meter-value" }, row.value));
}

/** Retries, stop, errors and alerts, newest first; a calm sentence when there are none. */
export function showTroubles(element, state, now) {
  const rows = troubles(state, now);
  renderOnce(element, rows, () => (rows.length ? rows.map(trouble) : h("p", { class: "muted" }, "No errors, no retries, no alerts.")));
}

function troubles(state, now) {
  const rows = [];
  if (state?.retry) rows.push({ level: "retrying", title: retryWords(state, now), detail: retryCause(state) });
  if (state?.stop) rows.push({ level: "stopped", title: stopWords(state, now) });
  for (const change of objects(state?.recoveries).reverse()) rows.push(changeRow(state, change, now));
  for (const error of objects(state?.errors).reverse()) rows.push(errorRow(state, error, now));
  for (const alert of objects(state?.alerts).reverse()) {
    rows.push({ level: text(alert.level, "info"), title: text(alert.title), detail: text(alert.detail), when: ago(alert.at, now), at: text(alert.at), command: text(alert.next_command) });
  }
  return rows;
}

const titleOf = (state, key) => text(stageOf(state, key)?.title, text(key));

function changeRow(state, change, now) {
  return { level: "info", title: `${titleOf(state, change.stage)}: ${changeWords(change)}`, detail: text(change.reason), when: ago(change.at, now), at: text(change.at) };
}

function errorRow(state, error, now) {
  const attempt = error.attempt > 1 ? `, attempt ${text(error.attempt)}` : "";
  const named = [text(error.words), ...attemptFacts(error)].filter(Boolean).join(" · ");
  return { level: "failed", title: `${titleOf(state, error.stage)}${attempt}: ${text(error.message)}`, detail: named, when: ago(error.at, now), at: text(error.at), command: text(error.next_command) };
}

/** How long a failed attempt took and what it left behind. */
function attemptFacts(error) {
  const took = isNumber(error.seconds) ? [`after ${duration(error.seconds)}`] : [];
  return isNumber(error.mark_after) ? [...took, `saved up to ${number(error.mark_after)}${isNumber(error.mark_before) ? ` (before: ${number(error.mark_before)})` : ""}`] : took;
}

function trouble(row) {
  const status = ["info", "warning", "critical", "retrying", "stopped", "failed"].includes(row.level) ? row.level : "info";
  return h("div", { class: `trouble ${status}` },
    h("span", { class: "mark", "aria-hidden": "true" }, mark(status)),
    h("div", {},
      h("p", { class: "lines" }, row.title, row.when ? h("span", { class: "muted small nowrap", title: exact(row.at) }, `  ${row.when}`) : null),
      row.detail ? h("p", { class: "muted small" }, row.detail) : null,
      row.command ? commandLine(row.command) : null));
}

/** The newest metrics of a stage as "loss 0.412 · learning rate 4.1e-4". */
export function metricWords(stage, most = 3) {
  const metrics = stage?.metrics && typeof stage.metrics === "object" ? Object.entries(stage.metrics) : [];
  return metrics.filter(([, value]) => isNumber(value)).slice(0, most).map(([name, value]) => `${name.replaceAll("_", " ")} ${number(value)}`);
}

