// The log of one stage: its end, following, find, save. Asks only for the bytes that are new.

import { h, setText } from "./dom.js";
import { plural } from "./format.js";
import { watch } from "./poll.js";

const MOST_LINES = 3000;
const ANSI = /\u001b\[[0-9;?]*[A-Za-z]/g;

/** Make a log view inside `root`; call show(runId, stageKey, title, done) to choose what it shows. */
export function logView(root) {
  const view = { run: null, key: null, offset: null, rest: "", lines: [], done: false, caughtUp: false, follow: true };
  const parts = build(root, view);
  const poll = watch(() => address(view), { onData: (part) => take(view, parts, part, poll), onError: (error) => setText(parts.note, error.message) });
  return {
    show(run, key, title, done) {
      if (run !== view.run || key !== view.key) select(view, parts, run, key, poll);
      if (view.done !== done) Object.assign(view, { done, caughtUp: false });
      setText(parts.title, title);
    },
  };
}

function build(root, view) {
  const title = h("h2", {}, "Log");
  const note = h("span", { class: "muted small", role: "status" });
  const find = h("input", { type: "search", placeholder: "Find", "aria-label": "Find in the log", class: "find" });
  const follow = h("button", { type: "button", class: "quiet", "aria-pressed": "true" }, "Follow");
  const save = h("a", { class: "button quiet", download: "", hidden: true }, "Save");
  const body = h("pre", { class: "log", tabindex: "0", "aria-label": "Log text" });
  root.replaceChildren(h("header", {}, title, note, find, follow, save), body);
  const parts = { title, note, find, follow, save, body };
  find.addEventListener("input", () => draw(view, parts));
  follow.addEventListener("click", () => setFollow(view, parts, !view.follow));
  body.addEventListener("scroll", () => {
    const atEnd = body.scrollHeight - body.scrollTop - body.clientHeight < 24;
    if (view.follow !== atEnd) setFollow(view, parts, atEnd);
  });
  return parts;
}

function setFollow(view, parts, on) {
  view.follow = on;
  parts.follow.setAttribute("aria-pressed", String(on));
  if (on) parts.body.scrollTop = parts.body.scrollHeight;
}

function select(view, parts, run, key, poll) {
  Object.assign(view, { run, key, offset: null, rest: "", lines: [], caughtUp: false, follow: true });
  parts.body.replaceChildren();
  setText(parts.note, "");
  parts.save.hidden = !run || !key;
  parts.save.href = `/api/runs/${run}/log/${key}/file`;
  parts.save.download = `${run}-${key}.log`;
  setFollow(view, parts, true);
  poll.refresh();
}

function address(view) {
  if (!view.run || !view.key || (view.done && view.caughtUp)) return null;
  const base = `/api/runs/${view.run}/log/${view.key}`;
  return view.offset === null ? base : `${base}?offset=${view.offset}`;
}

function take(view, parts, part, poll) {
  const fresh = view.offset === null || part.offset !== view.offset;
  if (fresh) Object.assign(view, { rest: "", lines: part.offset > 0 ? ["… earlier lines: Save shows them"] : [] });
  view.offset = part.next_offset;
  const whole = (view.rest + part.text).split("\n");
  view.rest = whole.pop();
  view.lines.push(...whole.map(plain));
  if (view.lines.length > MOST_LINES) view.lines.splice(0, view.lines.length - MOST_LINES);
  view.caughtUp = part.next_offset >= part.size;
  if (fresh || part.text) draw(view, parts);
  if (!view.caughtUp) poll.refresh();
}

/** What a terminal would show of a line: no colour codes, only what follows the last carriage return. */
const plain = (line) => line.replace(ANSI, "").replace(/\r+$/, "").split("\r").at(-1);

function draw(view, parts) {
  const wanted = parts.find.value.toLowerCase();
  const all = view.rest ? [...view.lines, plain(view.rest)] : view.lines;
  const shown = wanted ? all.filter((line) => line.toLowerCase().includes(wanted)) : all;
  setText(parts.body, shown.join("\n"));
  setText(parts.note, wanted ? plural(shown.length, "line") : all.length ? "" : "nothing printed yet");
  if (view.follow) parts.body.scrollTop = parts.body.scrollHeight;
}
