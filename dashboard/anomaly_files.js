// The files of both streams: what is in use, drop or pick more, what became of each.

import { begin, again, dismiss, finish, giveUp, importWords, importing, isBusy, isHere, offer } from "./anomaly_import.js";
import { commandLine, h, keyed, renderOnce, setClass, setText } from "./dom.js";
import { ago, bytes, list, objects, plural, text } from "./format.js";
import { mark } from "./status.js";

export const STREAMS = ["patchtst", "swinmae"];
const PARTS = ["train", "test"];
const PART_WORDS = { train: "To learn from (normal operation)", test: "To be judged" };
const NOTHING = {
  train: "No files. A run makes its own synthetic data.",
  test: "No files. The end of the training files is judged.",
};
const SHOWN = 6;
const ROW_MARKS = { waiting: "pending", sending: "running", saved: "done", partly: "warning", refused: "failed", broken: "failed" };

/** Draw the panel; `chosen` is {streams: {stream: bool}, toggle(stream, on)}. */
export function showFiles(element, world, chosen) {
  keyed(element, STREAMS, (stream) => stream, (stream) => streamBlock(stream, chosen), (block, stream) => {
    const facts = world.streams?.[stream] ?? {};
    const [head, ...zones] = block.children;
    setText(head.querySelector("h2"), text(facts.title, stream));
    const box = head.querySelector("input");
    box.checked = chosen.streams[stream] !== false;
    setText(head.querySelector(".model"), modelWords(facts));
    PARTS.forEach((part, index) => updateZone(zones[index], stream, part, facts, world));
  });
}

function streamBlock(stream, chosen) {
  const box = h("input", { type: "checkbox", id: `use-${stream}` });
  box.addEventListener("change", () => chosen.toggle(stream, box.checked));
  const head = h("div", { class: "stream-head" }, box, h("label", { for: `use-${stream}` }, h("h2", {}, stream)), h("span", { class: "model muted small" }));
  return h("section", { class: "stream" }, head, PARTS.map((part) => zone(stream, part)));
}

function modelWords(facts) {
  const model = text(facts.model?.version);
  return model ? [model, facts.thresholds ? "calibrated" : "not calibrated"].join(", ") : "no model yet";
}

/** One place for files: a heading, what is there, the button, and what is going on. */
function zone(stream, part) {
  const input = h("input", { type: "file", multiple: true, class: "visually-hidden", tabindex: "-1", "aria-hidden": "true", "data-place": `${stream} ${part}` });
  const pick = h("button", { type: "button", class: "pick" }, "Choose…");
  pick.addEventListener("click", () => input.click());
  const element = h("div", { class: "zone", role: "group" },
    h("div", { class: "zone-head" }, h("div", {}, h("p", { class: "zone-title" }, PART_WORDS[part]), h("p", { class: "muted small there" })), pick, input),
    h("details", { class: "zone-list small", hidden: true }, h("summary", { class: "muted" }, "Files"), h("ul", {})),
    h("div", { class: "zone-import", "aria-live": "polite" }));
  const take = (files) => offer(stream, part, [...files], element.there ?? { files: 0 });
  input.addEventListener("change", () => { take(input.files); input.value = ""; });
  const over = (on) => (event) => { event.preventDefault(); element.classList.toggle("over", on); };
  element.addEventListener("dragenter", over(true));
  element.addEventListener("dragover", over(true));
  element.addEventListener("dragleave", over(false));
  element.addEventListener("drop", (event) => { over(false)(event); if (element.open) take(event.dataTransfer.files); });
  return element;
}

function updateZone(element, stream, part, facts, world) {
  const data = facts.data?.[part] ?? {};
  const [head, files, news] = element.children;
  const suffixes = list(facts.suffixes).map((suffix) => text(suffix));
  element.there = { files: data.files ?? 0, names: objects(data.list).map((row) => text(row.name)), bytes: data.bytes };
  element.open = world.can?.import === true && !isBusy();
  element.setAttribute("aria-label", `${text(facts.title, stream)}: ${PART_WORDS[part]}; drop files here`);
  const [pick, input] = [head.children[1], head.children[2]];
  pick.disabled = !element.open;
  pick.title = world.blocked ? text(world.blocked) : `${suffixes.join(", ")}; you can also drop them here`;
  pick.setAttribute("aria-label", `Choose files, ${text(facts.title, stream)}, ${PART_WORDS[part].toLowerCase()}`);
  if (input.accept !== suffixes.join(",")) input.accept = suffixes.join(",");
  setText(head.querySelector(".there"), thereWords(data, part, suffixes));
  setClass(head.querySelector(".there"), `small there ${data.problem ? "tone failed" : "muted"}`);
  files.hidden = !data.files;
  renderOnce(files.querySelector("ul"), [data.list, data.files], () => fileList(data));
  renderOnce(news, isHere(stream, part) ? [importing.step, importing.rows, importing.error, importing.message] : null, () => (isHere(stream, part) ? newsOf(part, facts) : null));
}

function thereWords(data, part, suffixes) {
  if (data.problem) return text(data.problem);
  const other = data.other ? ` ${plural(data.other, "file")} of another kind ${data.other === 1 ? "is" : "are"} not used.` : "";
  if (!data.files) return `${NOTHING[part]} ${part === "train" ? suffixes.join(" ") : ""}${other}`.trim();
  return `${plural(data.files, "file")} · ${bytes(data.bytes)} · ${text(data.kind)}.${other}`;
}

function fileList(data) {
  const rows = objects(data.list);
  const more = data.files - rows.length;
  return [...rows.map((row) => h("li", {}, h("span", { class: "file-name" }, text(row.name)), h("span", { class: "muted number" }, bytes(row.bytes)))), more > 0 ? h("li", { class: "muted" }, `and ${more} more`) : null];
}

function newsOf(part, facts) {
  const step = importing.step;
  if (step === "ask") return question(part, facts);
  const parts = [step === "send" ? sending() : null, h("ul", { class: "sent" }, importing.rows.map(sentRow))];
  if (step === "settle") parts.push(settle());
  if (importing.error) parts.push(h("p", { class: "tone failed", role: "alert" }, text(importing.error.message)), text(importing.error.next_command) ? commandLine(text(importing.error.next_command)) : null);
  if (step === "done" || step === "failed") parts.push(closing(step));
  return parts;
}

function question(part, facts) {
  const { there, rows } = importing;
  const names = there.names.slice(0, SHOWN).join(", ") + (there.files > SHOWN ? ` and ${there.files - SHOWN} more` : "");
  const words = `${plural(there.files, "file")} ${there.files === 1 ? "is" : "are"} there already. Add ${plural(rows.length, "file")}, or replace ${names}? What is replaced is gone once the new files are in place.`;
  const add = h("button", { type: "button", class: "primary", onclick: () => begin("add") }, "Add");
  queueMicrotask(() => add.focus());
  return h("div", { class: "ask", role: "group", "aria-label": `${text(facts.title)}: add or replace?` }, h("p", {}, words), add,
    h("button", { type: "button", class: "danger", onclick: () => begin("replace") }, `Replace ${plural(there.files, "file")}`),
    h("button", { type: "button", onclick: dismiss }, "Leave as it is"));
}

const sending = () => h("div", { class: "zone-line" }, h("p", { class: "small" }, importWords()), h("button", { type: "button", class: "quiet", onclick: giveUp }, "End import"));

function sentRow(row) {
  const tone = ROW_MARKS[row.status];
  const share = row.bytes ? row.sent / row.bytes : 1;
  const fill = h("span");
  fill.style.width = `${Math.round(100 * share)}%`;
  const words = row.words || (row.status === "sending" ? `${Math.round(100 * share)}\u202f%` : row.status === "waiting" ? "waits" : "");
  return h("li", { class: tone },
    h("span", { class: "mark", "aria-hidden": "true" }, mark(tone)), h("span", { class: "file-name" }, row.name), h("span", { class: "muted number" }, bytes(row.bytes)),
    row.status === "sending" ? h("span", { class: "bar thin" }, fill) : h("span", { class: `why small ${["failed", "warning"].includes(tone) ? "tone" : "muted"}` }, words));
}

function settle() {
  const kept = importing.rows.flatMap((row) => row.saved ?? []).length;
  const broken = importing.rows.filter((row) => row.status === "broken").length;
  return h("div", { class: "ask", role: "group", "aria-label": "Not all files were accepted" },
    h("p", {}, kept ? `${plural(kept, "file")} accepted, not all. Nothing is in place yet.` : "No file was accepted; the files in use are as they were."),
    broken ? h("button", { type: "button", class: "primary", onclick: again }, `Send ${plural(broken, "file")} again`) : null,
    kept && !broken ? h("button", { type: "button", class: "primary", onclick: () => finish(true) }, `Use the ${kept} accepted`) : null,
    h("button", { type: "button", onclick: giveUp }, "Drop this import"));
}

function closing(step) {
  return h("div", { class: "zone-line" }, h("p", { class: `small ${step === "done" ? "tone done" : ""}` }, step === "done" ? `${importing.error ? "" : `${mark("done")} `}${importing.message}` : ""),
    h("button", { type: "button", class: "quiet", onclick: dismiss }, "Close"));
}

/** Words for an import of another tab. */
export function otherImport(world, at) {
  const open = objects(world.imports?.open).find((each) => each.id !== importing.id);
  if (!open) return "";
  const title = text(world.streams?.[open.stream]?.title, text(open.stream));
  return `Another page imports ${title.toLowerCase()} since ${ago(open.began_at, at)}: ${open.done_files} of ${plural(open.files, "file")}.`;
}
