// One import of files: ask add or replace, send one after the other, show each, settle what was refused.

import { bytes, list, objects, plural, text } from "./format.js";
import { post, upload } from "./poll.js";

/** The import this page is busy with; {} when there is none. Step: ask | send | settle | done | failed. */
export const importing = { step: null };
let changed = () => {};

/** Tell who redraws after each change here. */
export function onImport(fn) {
  changed = fn;
}

const set = (values) => {
  Object.assign(importing, values);
  changed();
};

export const isBusy = () => ["ask", "send", "settle"].includes(importing.step);
export const isHere = (stream, part) => importing.stream === stream && importing.part === part && importing.step !== null;

/** Files were dropped or picked; `there` is what the folder holds now. */
export function offer(stream, part, files, there) {
  if (!files.length || isBusy()) return;
  const rows = files.map((file, index) => ({ key: index, file, name: file.name, bytes: file.size, sent: 0, status: "waiting", words: "" }));
  const fresh = { id: null, stream, part, rows, there, error: null, message: "", refused: [], control: new AbortController() };
  set({ ...fresh, step: there.files ? "ask" : null });
  if (!there.files) begin("add");
}

/** Ask for room, then send. */
export async function begin(mode) {
  set({ step: "send", mode, error: null });
  const { stream, part, rows } = importing;
  const answer = await post("/api/import/begin", { stream, part, mode, files: rows.length, bytes: rows.reduce((sum, row) => sum + row.bytes, 0) });
  if (!answer.ok) {
    set({ step: "failed", error: answer.error });
    return;
  }
  set({ id: text(answer.value.import?.id) });
  await sendAll();
}

async function sendAll() {
  for (const row of importing.rows.filter((each) => each.status === "waiting")) {
    if (importing.control.signal.aborted) return;
    await sendOne(row);
  }
  if (importing.control.signal.aborted) return;
  const refused = importing.rows.flatMap((row) => row.refused ?? []);
  const broken = importing.rows.some((row) => row.status === "broken");
  if (refused.length || broken) set({ step: "settle", refused });
  else await finish(false);
}

async function sendOne(row) {
  Object.assign(row, { status: "sending", words: "" });
  changed();
  const answer = await upload(`/api/upload?import=${importing.id}&name=${encodeURIComponent(row.name)}`, row.file, (sent) => {
    row.sent = Math.min(sent, row.bytes);
    changed();
  }, importing.control.signal);
  Object.assign(row, answer.ok ? received(row, answer.value) : { status: "broken", words: text(answer.error?.message), sent: 0 });
  changed();
}

/** What became of a file: all, some or none of it was accepted. */
function received(row, value) {
  const [saved, refused] = [objects(value?.saved), objects(value?.refused)];
  const named = saved.map((each) => text(each.name));
  const accepted = named.length === 1 ? (named[0] === row.name ? "accepted" : `accepted as ${named[0]}`) : `${plural(named.length, "file")} accepted`;
  const words = [saved.length ? accepted : "", ...refused.map((each) => `${refused.length + saved.length > 1 ? `${text(each.name)}: ` : ""}${text(each.reason)}`)];
  return { status: saved.length ? (refused.length ? "partly" : "saved") : "refused", sent: row.bytes, words: words.filter(Boolean).join("; "), saved, refused };
}

/** Put the accepted files in place. */
export async function finish(withoutRefused) {
  const answer = await post("/api/import/finish", { import: importing.id, without_refused: withoutRefused });
  if (answer.ok) set({ step: "done", error: null, message: text(answer.value.import?.message, `${plural(list(answer.value.import?.saved).length, "file")} in place`) });
  else set({ step: answer.status === 404 ? "failed" : "settle", error: answer.error });
}

/** Send what broke off once more. */
export async function again() {
  for (const row of importing.rows) if (row.status === "broken") row.status = "waiting";
  set({ step: "send", error: null });
  await sendAll();
}

/** Leave everything as it was. */
export async function giveUp() {
  const { id } = importing;
  importing.control.abort();
  const answer = id ? await post("/api/import/cancel", { import: id }) : { ok: true };
  const words = id ? "Import ended; the files in use are as they were." : "";
  // An import that has ended by itself meanwhile is what was wanted, too.
  set({ step: words ? "done" : null, error: answer.ok || answer.status === 404 ? null : answer.error, message: words, rows: [] });
}

/** Put the message away. */
export const dismiss = () => set({ step: null, rows: [], message: "", error: null });

/** "2 of 3 files, 1.2 of 3.4 MB" */
export function importWords() {
  const { rows } = importing;
  const done = rows.filter((row) => !["waiting", "sending"].includes(row.status)).length;
  const [sent, all] = ["sent", "bytes"].map((name) => rows.reduce((sum, row) => sum + row[name], 0));
  return `${done} of ${plural(rows.length, "file")}, ${bytes(sent)} of ${bytes(all)}`;
}
