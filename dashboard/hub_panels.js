// The hub's facts: champion, change, backup, alerts, next lessons.

import { h, renderOnce } from "./dom.js";
import { ago, bytes, change, exact, isNumber, list, number, objects, percent, plural, text } from "./format.js";
import { mark } from "./status.js";

const LEVELS = { CRITICAL: "critical", WARNING: "warning", SUGGESTION: "info", INFO: "info" };

const value = (estimate) => (isNumber(estimate?.value) ? estimate.value : isNumber(estimate) ? estimate : null);

/** "0.65–0.77", the 95 % interval. */
export function interval(estimate) {
  const [low, high] = list(estimate?.ci95);
  return isNumber(low) && isNumber(high) ? `${low.toFixed(2)}–${high.toFixed(2)}` : "";
}

/** The row of four answers on top. */
export function showTiles(element, hub, now) {
  renderOnce(element, [hub.champion, hub.previous, hub.base, hub.backup, hub.health, ago(hub.backup?.verified_at, now)], () => [
    championTile(hub), changeTile(hub), backupTile(hub.backup, now), alertTile(hub.health),
  ]);
}

function tile(name, big, small, { status = "", title = null } = {}) {
  return h("div", { class: `tile ${status}`, title },
    h("h2", {}, name),
    h("p", { class: "big" }, status ? h("span", { class: "mark", "aria-hidden": "true" }, `${mark(status)} `) : null, big),
    list(small).filter(Boolean).map((line) => h("p", { class: "muted small" }, line)));
}

function championTile(hub) {
  const champion = hub.champion;
  if (!champion) return tile("Champion", "none yet", ["A version is promoted when its exam is not worse on unseen prompts."]);
  const score = value(champion.unseen);
  return tile("Champion, unseen prompts", `${text(champion.version)}  ${score === null ? "–" : score.toFixed(2)}`,
    [interval(champion.unseen) ? `95 % interval ${interval(champion.unseen)}` : "", `${percent(value(champion.valid))} valid programs`]);
}

function changeTile(hub) {
  const [score, before, base] = [hub.champion, hub.previous, hub.base].map((row) => value(row?.unseen));
  if (score === null || before === null) return tile("Change", "–", [base !== null && score !== null ? `${change(score - base)} against the base model` : "Needs two examined versions."]);
  return tile(`Change since ${text(hub.previous.version)}`, change(score - before),
    [`${before.toFixed(2)} before`, base === null ? "" : `${change(score - base)} against the base model (${base.toFixed(2)})`]);
}

function backupTile(backup, now) {
  if (!backup) return tile("Last backup", "none yet", ["Stage 16 makes one before and after each training."], { status: "idle" });
  const status = { ok: "done", warning: "warning", failed: "failed" }[backup.status] ?? "idle";
  const words = backup.verified_at ? `verified ${ago(backup.verified_at, now)}` : "not verified";
  const mirror = backup.mirror && backup.mirror.status !== "ok" ? text(backup.mirror.message, "mirror not reached") : "";
  return tile("Last backup", words, [`${plural(backup.files, "file")}, ${bytes(backup.bytes)}`, mirror], { status, title: `${text(backup.label)}\n${exact(backup.created_at)}` });
}

function alertTile(health) {
  const open = objects(health?.alerts).filter((alert) => alert.level === "CRITICAL" || alert.level === "WARNING");
  const critical = open.filter((alert) => alert.level === "CRITICAL").length;
  const status = critical ? "critical" : open.length ? "warning" : "done";
  const words = critical ? `${critical} critical` : open.length ? plural(open.length, "warning") : "none";
  return tile("Open alerts", words, [text(open[0]?.title), open.length > 1 ? `and ${open.length - 1} more below` : ""], { status });
}

/** Health alerts with their evidence. */
export function showHealth(element, health) {
  const alerts = objects(health?.alerts);
  renderOnce(element, alerts, () => (alerts.length ? alerts.map(alertRow) : h("p", { class: "muted" }, "Nothing to report.")));
}

function alertRow(alert) {
  const level = LEVELS[alert.level] ?? "info";
  const evidence = isNumber(alert.value) ? `${text(alert.metric)} ${number(alert.value)}${isNumber(alert.threshold) ? `, limit ${number(alert.threshold)}` : ""}` : "";
  return h("div", { class: `trouble ${level}` },
    h("span", { class: "mark", "aria-hidden": "true" }, mark(level)),
    h("div", {}, h("p", {}, h("span", { class: "visually-hidden" }, `${text(alert.level).toLowerCase()}: `), text(alert.title)),
      h("p", { class: "muted small" }, [text(alert.detail), evidence].filter(Boolean).join("  "))));
}

/** What stage 13 planned for the next run. */
export function showLessons(element, lessons) {
  const rows = objects(lessons);
  renderOnce(element, rows, () => (rows.length ? h("ul", { class: "lessons", tabindex: "0", "aria-label": "planned lessons" }, rows.map(lessonRow)) : h("p", { class: "muted" }, "No lesson is planned.")));
}

/** An answer can fail in many ways at once; the first is enough in a list. */
function firstReason(reason) {
  const [first, ...others] = reason.split("; ");
  return others.length ? `${first} (and ${others.length} more)` : first;
}

function lessonRow(lesson) {
  const names = list(lesson.node_types ?? lesson.nodes).map((name) => text(name)).filter(Boolean).join(", ");
  const title = text(lesson.title, text(lesson.lesson_name, text(lesson.node_type, text(lesson.lesson_id, "lesson"))));
  return h("li", {}, title, h("span", { class: "muted small" }, [names, firstReason(text(lesson.reason))].filter(Boolean).map((part) => `  ${part}`).join(" ·")));
}
