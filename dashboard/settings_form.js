// The settings form, made from the configuration schema: common ones first, the rest folded, changes marked.

import { h, renderOnce, setClass, setText } from "./dom.js";
import { list, objects, plural, text } from "./format.js";
import { inquire } from "./poll.js";

const COMMON = [
  "patchtst.training.max_steps", "patchtst.training.lr", "patchtst.training.batch_size", "patchtst.data.seq_len", "patchtst.model.mask_ratio",
  "swinmae.training.max_steps", "swinmae.training.lr", "swinmae.training.batch_size", "swinmae.data.fs", "swinmae.data.win_sec", "swinmae.model.mask_ratio",
  "anomaly.patchtst_detector", "anomaly.swinmae_detector", "anomaly.alpha_warn", "anomaly.alpha_anomaly",
];
const SECTIONS = { patchtst: "Sensor tables", swinmae: "Vibration", anomaly: "Decisions" };
const HIDDEN = new Set(["patchtst.enabled", "swinmae.enabled"]); // the ticks above the files say these

/** What somebody changed here, by key, as it was typed; errors and the server's diff. Written by this module only. */
export const settings = { values: {}, errors: [], diff: [], problem: "", profile: null };
let changed = () => {};

/** Tell who redraws after a change. */
export function onSetting(fn) {
  changed = fn;
}

/** Draw the form into `element`; `form` is the server's description, null before it is known. */
export function showSettings(element, form) {
  if (!form) {
    renderOnce(element, "none", () => h("p", { class: "muted panel-body" }, "Reading the settings…"));
    return;
  }
  renderOnce(element, form, () => [h("div", { class: "diff", "aria-live": "polite" }), ...sections(form)]);
  renderOnce(element.querySelector(".diff"), [settings.diff, settings.errors, settings.problem, form.problem, form.profile], () => diffLines(form));
  for (const field of objects(form.fields)) {
    const row = element.querySelector(`[data-field="${CSS.escape(field.key)}"]`);
    if (row) markRow(row, field);
  }
  for (const group of element.querySelectorAll("details.group")) markGroup(group);
}

/** "2 settings changed", or empty. */
export const changeCount = () => Object.keys(settings.values).length;

function sections(form) {
  const fields = new Map(objects(form.fields).filter((field) => !HIDDEN.has(field.key)).map((field) => [field.key, field]));
  const common = COMMON.filter((key) => fields.has(key));
  const rest = objects(form.groups).map((group) => ({ ...group, keys: list(group.fields).filter((key) => fields.has(key) && !common.includes(key)) })).filter((group) => group.keys.length);
  return Object.entries(SECTIONS).map(([section, title]) => h("section", { class: "setting-section" },
    h("h2", {}, title),
    common.filter((key) => key.startsWith(`${section}.`)).map((key) => fieldRow(fields.get(key))),
    rest.filter((group) => group.id.split(".")[0] === section).map((group) => groupBlock(group, fields))));
}

function groupBlock(group, fields) {
  const summary = h("summary", { title: text(group.title) }, h("span", { class: "group-name" }, group.id.split(".").slice(1).join(" ") || "general"), h("span", { class: "muted small group-note" }));
  return h("details", { class: "group" }, summary, h("p", { class: "muted small" }, text(group.title)), group.keys.map((key) => fieldRow(fields.get(key))));
}

function fieldRow(field) {
  const id = `set-${field.key}`;
  const input = control(field, id);
  input.addEventListener("change", () => take(field, read(input, field)));
  const reset = h("button", { type: "button", class: "quiet", "aria-label": `Reset ${field.key}`, hidden: true }, "Reset");
  reset.addEventListener("click", () => {
    write(input, field, field.value);
    delete settings.values[field.key];
    input.focus();
    check();
  });
  const row = h("div", { class: "field", "data-field": field.key },
    h("label", { for: id, title: field.key }, text(field.name).replaceAll("_", " ")), input, reset,
    h("p", { class: "muted small meaning", id: `${id}-meaning` }, text(field.meaning)),
    h("p", { class: "small was", hidden: true }), h("p", { class: "small tone failed wrong", id: `${id}-wrong`, role: "alert", hidden: true }));
  row.restore = () => write(input, field, field.value);
  return row;
}

function control(field, id) {
  const shared = { id, "aria-describedby": `${id}-meaning ${id}-wrong` };
  const now = field.key in settings.values ? settings.values[field.key] : field.value;
  let input;
  if (field.type === "choice") {
    const options = field.nullable ? ["", ...list(field.choices)] : list(field.choices);
    input = h("select", shared, options.map((choice) => h("option", { value: choice }, choice || "not set")));
  } else if (field.type === "boolean") input = h("input", { type: "checkbox", ...shared });
  else input = h("input", { type: "text", ...shared, spellcheck: "false", autocomplete: "off", inputmode: ["number", "integer"].includes(field.type) ? "decimal" : null, placeholder: field.nullable ? "not set" : null });
  write(input, field, now);
  return input;
}

/** A value as it stands in its control. */
function write(input, field, value) {
  if (field.type === "boolean") input.checked = value === true;
  else if (field.type === "map") input.value = Object.entries(value ?? {}).map(([name, number]) => `${name} = ${number}`).join(", ");
  else input.value = shown(value);
}

const shown = (value) => (value === null || value === undefined ? "" : Array.isArray(value) ? value.join(", ") : String(value));

/** What a control holds, in the shape the server takes; numbers stay as typed, the server reads them. */
function read(input, field) {
  if (field.type === "boolean") return input.checked;
  const typed = input.value.trim();
  if (!typed && field.nullable) return null;
  const parts = typed.split(",").map((part) => part.trim()).filter(Boolean);
  if (field.type === "list") return field.items === "text" ? parts : parts.map((part) => (part !== "" && Number.isFinite(Number(part)) ? Number(part) : part));
  if (field.type === "map") return Object.fromEntries(parts.map((part) => { const [name, value] = part.split("=").map((each) => each.trim()); return [name, Number(value)]; }));
  return typed;
}

const same = (field, value) => shown(value) === shown(field.value) || (["number", "integer"].includes(field.type) && value !== "" && value !== null && Number(value) === field.value);

function take(field, value) {
  if (field.type !== "map" && same(field, value)) delete settings.values[field.key];
  else settings.values[field.key] = value;
  check();
}

let asked = 0;

/** Let the server say what is wrong and what differs; only the newest answer counts. */
export async function check() {
  changed();
  asked += 1;
  const mine = asked;
  const answer = await inquire("/api/settings/check", { profile: settings.profile, values: settings.values });
  if (mine !== asked) return;
  Object.assign(settings, answer.ok
    ? { errors: objects(answer.value.errors), diff: objects(answer.value.diff), problem: "" }
    : { errors: objects(answer.error?.details?.errors), problem: text(answer.error?.message) });
  changed();
}

/** Put errors of a refused start at their fields. */
export function refuse(errors) {
  settings.errors = objects(errors);
  changed();
}

/** The profile the form is about; a change of it is checked again. */
export function setProfile(profile) {
  if (settings.profile === profile) return;
  settings.profile = profile;
  if (changeCount()) check();
}

function resetAll() {
  for (const row of document.querySelectorAll(".field.changed")) row.restore();
  settings.values = {};
  check();
}

function diffLines(form) {
  const about = text(form.profile) ? `profile ${text(form.profile)}` : "the configuration";
  if (form.problem) return h("p", { class: "tone failed" }, text(form.problem));
  if (settings.problem) return h("p", { class: "tone failed" }, settings.problem);
  const general = settings.errors.filter((error) => !list(error.keys).length);
  if (!settings.diff.length && !settings.errors.length) return h("p", { class: "muted small" }, `As in ${about}. Changes hold for the runs started here.`);
  return [
    h("div", { class: "zone-line" }, h("p", { class: "small" }, `${plural(settings.diff.length, "setting")} differ${settings.diff.length === 1 ? "s" : ""} from ${about}`), h("button", { type: "button", class: "quiet", onclick: resetAll }, "Reset all")),
    h("ul", { class: "diff-list" }, settings.diff.map((row) => h("li", {}, h("span", { class: "mono" }, text(row.key)), h("span", {}, `${words(row.base)} → ${words(row.value)}`)))),
    general.map((error) => h("p", { class: "tone failed", role: "alert" }, text(error.message))),
  ];
}

const words = (value) => (value === null ? "not set" : typeof value === "object" ? JSON.stringify(value) : String(value));

function markRow(row, field) {
  const on = field.key in settings.values;
  const errors = settings.errors.filter((error) => list(error.keys).includes(field.key)).map((error) => text(error.message));
  setClass(row, `field ${on ? "changed" : ""} ${errors.length ? "invalid" : ""}`);
  const [, input, reset, , was, wrong] = row.children;
  input.setAttribute("aria-invalid", String(errors.length > 0));
  reset.hidden = !on;
  was.hidden = !on;
  setText(was, on ? `was ${words(field.value)}` : "");
  wrong.hidden = !errors.length;
  setText(wrong, errors.join(" "));
}

function markGroup(group) {
  const count = group.querySelectorAll(".field.changed").length;
  const wrong = group.querySelectorAll(".field.invalid").length;
  setText(group.querySelector(".group-note"), [count ? `${count} changed` : "", wrong ? `${wrong} wrong` : ""].filter(Boolean).join(", "));
  if (wrong) group.open = true;
}
