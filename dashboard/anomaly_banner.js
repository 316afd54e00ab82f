// The banner of the anomaly page: what holds, what is at work, what came out.

import { byId, commandLine, h, renderOnce, setClass, setText } from "./dom.js";
import { ago, clock, clockRange, duration, isNumber, number, secondsBetween, text } from "./format.js";
import { page } from "./page.js";
import { metricWords } from "./panels.js";
import { link } from "./poll.js";
import { bannerOf, currentStage, isActive, mark } from "./status.js";
import { watchWords } from "./watch.js";

const FIRST = "Choose files of normal operation on the left, or press Train at once: without files a run makes its own synthetic data.";
const COMMAND = "python launch_pipeline.py --pipeline anomaly";

/** Draw the banner; returns what holds, as status.js tells it. */
export function showWords({ world, run, at, outcome }) {
  const banner = whatHolds(world, run, at, outcome);
  setClass(byId("banner"), `panel banner ${banner.status} ${banner.kind}`);
  setText(byId("mark"), mark(banner.status));
  setText(byId("title"), banner.title);
  setText(byId("identity"), run && banner.kind !== "outdated" ? [text(run.profile), `run ${text(run.run_id)}`].filter(Boolean).join(" · ") : "");
  setText(byId("times"), run ? timeWords(run, banner, at) : "");
  const detail = [banner.detail, banner.link ? h("a", { href: "/dashboard/live.html" }, "Live page") : null];
  renderOnce(byId("detail"), [banner.detail, banner.link], () => detail.filter(Boolean).map((part, index) => (index ? part : h("span", {}, `${part} `))));
  byId("detail").hidden = !banner.detail;
  renderOnce(byId("command"), banner.command, () => (banner.command ? commandLine(banner.command) : null));
  showNow(run, banner, at);
  document.title = `${mark(banner.status)} ${banner.title} – Anomaly – Nightforge`;
  return banner;
}

function whatHolds(world, run, at, outcome) {
  const told = bannerOf(page.state, link, at);
  if (["offline", "unreadable", "connecting", "outdated"].includes(told.kind)) return told;
  if (world.error) return { kind: "unreadable", status: "unreadable", title: "Results not readable", detail: world.error.message, command: world.error.next_command };
  if (run) return run.status === "succeeded" && outcome ? { ...told, detail: `${outcome} It took ${duration(secondsBetween(run.started_at, run.ended_at ?? run.updated_at))}.` } : told;
  const other = isActive(page.state) ? `A ${text(page.state.pipeline)} run is going; training here waits until it has ended.` : "";
  const latest = world.overview?.latest;
  if (latest) return { kind: "idle", status: "idle", title: "No anomaly run going", detail: [other, `Below is run ${text(latest.run_id, text(latest.label))}.`, outcome].filter(Boolean).join(" "), command: null, link: Boolean(other) };
  return { kind: "idle", status: "idle", title: "No anomaly run yet", detail: other || FIRST, command: other ? null : COMMAND, link: Boolean(other) };
}

function timeWords(run, banner, at) {
  const ended = run.ended_at ?? run.updated_at;
  if (banner.kind === "finished") return `ended ${clock(ended, at)} (${ago(ended, at)})`;
  const done = banner.kind === "live" ? clockRange(run.eta?.done_at, at) : "";
  return [run.started_at ? `started ${clock(run.started_at, at)}` : "", duration(secondsBetween(run.started_at, banner.kind === "live" ? at : run.updated_at)), done ? `done ${done}` : ""].filter(Boolean).join(" · ");
}

/** The stage at work: its name, how far, its newest figures. */
function showNow(run, banner, at) {
  const stage = currentStage(run);
  byId("now").hidden = !stage || !["live", "stale", "offline", "unreadable"].includes(banner.kind);
  if (byId("now").hidden) return;
  const { done, total, unit } = stage.progress ?? {};
  const known = isNumber(done) && isNumber(total) && total > 0;
  setText(byId("now-title"), text(stage.title));
  byId("now-bar").hidden = !known;
  byId("now-bar").firstElementChild.style.width = known ? `${Math.min(100, (100 * done) / total)}%` : "0";
  setText(byId("now-words"), [known ? `${number(done)}/${number(total)} ${text(unit)}` : text(stage.step?.title), ...metricWords(stage, 2)].filter(Boolean).join(" · "));
  const told = banner.kind === "live" && stage.status === "running" ? watchWords(run, at) : null;
  byId("watch").hidden = !told?.slow; // quiet unless something is wrong: this page has little height
  setClass(byId("watch"), "small slow");
  setText(byId("watch"), told?.slow ? `${mark("warning")} ${told.words}` : "");
}
