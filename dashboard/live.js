// The live page: state in, DOM out.

import { launchWords, onAction, showActions } from "./actions.js";
import { showAnswers } from "./answers.js";
import { onResize } from "./chart.js";
import { curveLines, showCurve } from "./curve.js";
import { byId, commandLine, renderOnce, setClass, setText } from "./dom.js";
import { ago, clock, clockRange, duration, exact, isNumber, moment, number, objects, percent, secondsBetween, text } from "./format.js";
import { logView } from "./log.js";
import { page, startPage } from "./page.js";
import { metricWords, showHardware, showTroubles } from "./panels.js";
import { link, now } from "./poll.js";
import { showStages } from "./stages.js";
import { bannerOf, currentStage, isActive, mark, naturalStage, stageOf, stagesOf } from "./status.js";
import { watchWords } from "./watch.js";

const chosen = { stage: null, middle: null };
const log = logView(byId("log"));

function render() {
  const at = now();
  const banner = bannerOf(page.state, link, at);
  const state = banner.kind === "outdated" ? null : page.state;
  showBanner(banner, state, at);
  const empty = !state?.run_id;
  byId("grid").hidden = empty || banner.kind === "outdated";
  byId("welcome").hidden = !(empty && banner.kind === "idle");
  document.body.classList.toggle("past", ["offline", "stale", "unreadable"].includes(banner.kind));
  if (!empty) showRun(state, at, banner.kind === "live" ? at : moment(state.updated_at) ?? at);
}

function showBanner(banner, state, at) {
  setClass(byId("banner"), `panel banner ${banner.status} ${banner.kind}`);
  setText(byId("mark"), mark(banner.status));
  setText(byId("title"), banner.title);
  setText(byId("identity"), state?.run_id ? [state.pipeline, state.profile, `run ${text(state.run_id)}`].map((part) => text(part)).filter(Boolean).join(" · ") : "");
  setText(byId("times"), state?.run_id ? timeWords(state, banner, at) : "");
  byId("times").title = state?.started_at ? `started ${exact(state.started_at)}` : "";
  setText(byId("detail"), banner.detail);
  byId("detail").hidden = !banner.detail;
  const forecast = banner.kind === "live" ? forecastWords(state.eta) : "";
  setText(byId("forecast"), forecast);
  byId("forecast").hidden = !forecast;
  renderOnce(byId("command"), banner.command, () => (banner.command && banner.kind !== "idle" ? commandLine(banner.command) : null));
  showReport(state, banner);
  showActions(byId("actions"), byId("ask"));
  showNow(state, banner, at);
  const said = launchWords(page.server, state);
  setText(byId("said"), said);
  byId("said").hidden = !said;
  document.title = titleWords(banner, state);
}

function timeWords(state, banner, at) {
  const words = [state.started_at ? `started ${clock(state.started_at, at)}` : ""];
  if (banner.kind === "finished") words.push(`ended ${clock(state.ended_at ?? state.updated_at, at)} (${ago(state.ended_at ?? state.updated_at, at)})`);
  else words.push(duration(secondsBetween(state.started_at, banner.kind === "live" ? at : state.updated_at)));
  if (banner.kind !== "live") return words.filter(Boolean).join(" · ");
  const done = clockRange(state.eta?.done_at, at);
  return [...words, done ? `done ${done}` : "first run, no estimate"].filter(Boolean).join(" · ");
}

/** How good earlier forecasts were, and what retries would add to this one. */
function forecastWords(eta) {
  const { count, inside, median_error: error } = eta?.quality ?? {};
  const words = isNumber(count) && count > 0 ? [`Forecasts so far: median error ${percent(error)}, ${number(inside)} of ${number(count)} ends inside the range.`] : [];
  if (isNumber(eta?.retries_s) && eta.retries_s >= 1) words.push(`About ${duration(eta.retries_s)} more if attempts fail as often as before.`);
  return words.join(" ");
}

function titleWords(banner, state) {
  const stage = banner.kind === "live" ? currentStage(state) : null;
  const { done, total } = stage?.progress ?? {};
  const share = isNumber(done) && isNumber(total) && total > 0 ? ` ${Math.round((100 * done) / total)} %` : "";
  return `${mark(banner.status)} ${stage ? text(stage.title) : banner.title}${share} – Nightforge`;
}

function showReport(state, banner) {
  const ready = banner.kind === "finished" && text(state?.result?.report);
  byId("report").hidden = !ready;
  if (ready) byId("report").href = `/api/runs/${state.run_id}/report`;
}

function showNow(state, banner, at) {
  const stage = currentStage(state);
  const shown = Boolean(stage) && ["live", "stale", "offline", "unreadable"].includes(banner.kind);
  byId("now").hidden = !shown;
  if (!shown) return;
  const { done, total, unit } = stage.progress ?? {};
  const known = isNumber(done) && isNumber(total) && total > 0;
  setText(byId("now-title"), text(stage.title));
  byId("now-bar").hidden = !known;
  byId("now-bar").firstElementChild.style.width = known ? `${Math.min(100, (100 * done) / total)}%` : "0";
  const words = [known ? `${number(done)}/${number(total)} ${text(unit)}` : text(stage.step?.title), ...metricWords(stage, 2)];
  const watch = banner.kind === "live" && stage.status === "running" ? watchWords(state, at) : null;
  if (banner.kind === "live" && !watch) words.push(newsWords(state, stage, at));
  setText(byId("now-words"), words.filter(Boolean).join(" · "));
  byId("watch").hidden = !watch;
  setClass(byId("watch"), watch?.slow ? "small slow" : "small muted");
  setText(byId("watch"), watch ? `${watch.slow ? `${mark("warning")} ` : ""}${watch.words}` : "");
}

function newsWords(state, stage, at) {
  if (stage.status === "retrying") return "";
  const last = moment(state.current?.last_progress_at);
  if (last === null) return "";
  return `last progress ${ago(state.current.last_progress_at, at)}`;
}

/** `until` is how far times are told: now, or the last news of a run that is not heard any more. */
function showRun(state, at, until) {
  const selected = selectedStage(state);
  showStages(byId("stages"), state, selected, until, choose);
  showMiddle(state);
  showHardware(byId("hardware"), state);
  showTroubles(byId("troubles"), state, at);
  const stage = stageOf(state, selected);
  const printed = Boolean(stage?.started_at);
  const done = !isActive(state) || (stage?.ended_at ?? null) !== null;
  log.show(text(state.run_id), printed ? selected : "orchestrator", printed ? `Log: ${text(stage.title)}` : "Log: orchestrator", done);
}

const selectedStage = (state) => (stageOf(state, chosen.stage) ? chosen.stage : naturalStage(state));

function choose(key) {
  chosen.stage = chosen.stage === key ? null : key;
  render();
}

function showMiddle(state) {
  const current = currentStage(state);
  const examined = stagesOf(state).some((stage) => stage.kind === "exam");
  const natural = current && objects(state.answers).length > 0 && current.phase >= 6 ? "answers" : "loss";
  const middle = examined ? chosen.middle ?? natural : "loss";
  byId("tab-answers").hidden = !examined;
  for (const name of ["loss", "answers"]) {
    byId(`tab-${name}`).setAttribute("aria-selected", String(name === middle));
    byId(`tab-${name}`).tabIndex = name === middle ? 0 : -1;
    byId(`pane-${name}`).hidden = name !== middle;
  }
  byId("legend").hidden = middle !== "loss";
  byId("exam-words").hidden = middle !== "answers";
  const stage = stageOf(state, "12");
  setText(byId("exam-words"), stage ? metricWords(stage, 2).join(" · ") : "");
  if (middle === "loss") showCurve(byId("curve"), byId("legend"), curveLines(state.curve), trainingStage(state)?.progress?.total);
  else showAnswers(byId("answers"), state);
}

/** The training whose curve is drawn: the one that began last. */
const trainingStage = (state) => stagesOf(state).findLast((stage) => stage.kind === "training" && stage.progress);

function choosePane(name) {
  chosen.middle = name;
  render();
  byId(`tab-${name}`).focus();
}

for (const name of ["loss", "answers"]) {
  byId(`tab-${name}`).addEventListener("click", () => choosePane(name));
  byId(`tab-${name}`).addEventListener("keydown", (event) => {
    if (event.key === "ArrowRight" || event.key === "ArrowLeft") choosePane(name === "loss" ? "answers" : "loss");
  });
}
onResize(byId("curve"), render);
onAction(render);
byId("welcome-command").append(commandLine("python launch_pipeline.py"));
startPage(render);
