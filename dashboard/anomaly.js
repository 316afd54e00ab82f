// The anomaly page: files, data quality, settings on the left; graph, losses, decisions, checks, history on the right.

import { launchWords, onAction, showActions, wishedProfile } from "./actions.js";
import { checkCount, showChecks } from "./anomaly_checks.js";
import { onDecision, outcomeWords, showDecisions } from "./anomaly_decisions.js";
import { otherImport, showFiles, STREAMS } from "./anomaly_files.js";
import { VIEWS } from "./anomaly_graph.js";
import { showHistory } from "./anomaly_history.js";
import { onImport } from "./anomaly_import.js";
import { showLosses } from "./anomaly_losses.js";
import { showQuality } from "./anomaly_quality.js";
import { showWords } from "./anomaly_banner.js";
import { onResize } from "./chart.js";
import { byId, h, renderOnce, setText } from "./dom.js";
import { ago, list, objects, text } from "./format.js";
import { nodeGraph, nodeStatus, viewStatus } from "./node_graph.js";
import { page, startPage } from "./page.js";
import { link, now, refreshAll, watch } from "./poll.js";
import { changeCount, onSetting, refuse, setProfile, settings, showSettings } from "./settings_form.js";
import { isActive, mark, stageOf, word } from "./status.js";
import { tabRow } from "./tabs.js";

const SCHEMA = 1;
const SIDE = { files: "Files", quality: "Data quality", settings: "Settings" };
const OUTCOME = { losses: "Losses", decisions: "Decisions", checks: "Checks", history: "History" };
const OVERVIEW_MS = 3000;
const DETAIL_MS = 6000;

/** What the server has told; `results` are those of the label that is shown. */
const world = { overview: null, error: null, form: null, reports: {}, kept: null, results: { label: null, summary: null, charts: {}, alarms: {} } };
const view = { side: "files", outcome: null, graph: null, label: null, streams: {} };

const graph = nodeGraph(byId("graph"), { label: "Node graph of the pipeline", onChoose: () => render() });
const sideTabs = tabRow(byId("side-tabs"), "Files, data quality, settings", SIDE, (id) => choose({ side: id }));
const outcomeTabs = tabRow(byId("outcome-tabs"), "Losses, decisions, checks, history", OUTCOME, (id) => choose({ outcome: id }));
const viewTabs = tabRow(byId("view-tabs"), "Views of the graph", Object.fromEntries(VIEWS.map((each) => [each.id, each.name])), (id) => choose({ graph: id }), "graph");

/** The live state when it is a run of this pipeline. */
const ours = () => (page.state?.schema_version === 1 && text(page.state.run_id) && page.state.pipeline === "anomaly" ? page.state : null);

function render() {
  const at = now();
  const overview = world.overview;
  const banner = showWords({ world, run: ours(), at, outcome: outcomeWords(world.results.summary, overview ?? {}) });
  document.body.classList.toggle("past", ["offline", "stale", "unreadable"].includes(banner.kind));
  showActions(byId("actions"), byId("ask"), actions());
  const said = launchWords(page.server, page.state);
  setText(byId("said"), said);
  byId("said").hidden = !said;
  byId("work").hidden = !overview || banner.kind === "outdated";
  if (byId("work").hidden) return;
  showSide(overview, at);
  showGraph(overview, at);
  showOutcome(overview, at);
}

function actions() {
  const run = ours() ?? (isActive(page.state) ? page.state : null);
  const can = world.overview?.can ?? {};
  setProfile(chosenProfile());
  return {
    run, refresh: refreshAll, can: { train: can.train === true && !link.offline, stop: can.stop === true && Boolean(ours()) && !link.offline },
    onProfile: () => { formWatch.refresh(); render(); },
    fields: () => ({ pipeline: "anomaly", overrides: { ...settings.values }, ...streamFields() }),
    onRefused: (error) => { if (list(error?.details?.errors).length) { refuse(error.details.errors); choose({ side: "settings" }); } },
  };
}

/** Which streams a run is asked for; as configured unless somebody has ticked otherwise. */
const streamFields = () => (Object.keys(view.streams).length ? { streams: STREAMS.filter(inUse) } : {});

const configured = (stream) => objects(world.form?.fields).find((field) => field.key === `${stream}.enabled`)?.value !== false;
const inUse = (stream) => view.streams[stream] ?? configured(stream);

function showSide(overview, at) {
  const wrong = settings.errors.length ? "✕" : changeCount() ? `(${changeCount()})` : "";
  sideTabs.show(view.side, { settings: wrong });
  if (view.side === "files") {
    const streams = Object.fromEntries(STREAMS.map((stream) => [stream, inUse(stream)]));
    showFiles(byId("files"), overview, { streams, toggle: (stream, on) => { view.streams[stream] = on; render(); } });
    const notes = [text(overview.blocked), otherImport(overview, at), ...list(overview.problems).map((words) => text(words))].filter(Boolean);
    renderOnce(byId("files-notes"), notes, () => notes.map((words) => h("p", { class: "small" }, words)));
  }
  if (view.side === "quality") showQuality(byId("pane-quality"), overview, world.reports, at);
  if (view.side === "settings") showSettings(byId("pane-settings"), world.form);
}

function showGraph(overview, at) {
  const nodes = ours()?.nodes ?? overview.nodes ?? {};
  const shown = VIEWS.find((each) => each.id === (view.graph ?? naturalView(nodes)));
  viewTabs.show(shown.id, Object.fromEntries(VIEWS.map((each) => [each.id, mark(viewStatus(each, nodes))])));
  graph.show(shown, nodes);
  const all = shown.layers.flat();
  const node = all.find((each) => each.id === graph.chosen()) ?? all.findLast((each) => nodeStatus(nodes, each.id) === "fail");
  const told = node ? nodes[node.id] : null;
  setText(byId("graph-said"), node ? [node.label, word(nodeStatus(nodes, node.id)), text(told?.message), told?.updated_at ? ago(told.updated_at, at) : ""].filter(Boolean).join(" · ") : "");
}

/** The view where something happens: a later one before the training flow, whose orchestrator runs all the time. */
function naturalView(nodes) {
  const urgent = ["fail", "running"].map((status) => VIEWS.slice(1).find((each) => viewStatus(each, nodes) === status)).find(Boolean);
  return (urgent ?? VIEWS[0]).id;
}

function showOutcome(overview, at) {
  const outcome = view.outcome ?? naturalOutcome(overview);
  outcomeTabs.show(outcome, { checks: checkCount(overview.checklist), history: objects(overview.history).length || "" });
  showLinks(overview, outcome);
  if (outcome === "losses") showLosses(byId("pane-losses"), overview, ours(), world.kept);
  if (outcome === "decisions") showDecisions(byId("pane-decisions"), overview, world.results, at);
  if (outcome === "checks") showChecks(byId("pane-checks"), overview.checklist, overview.readiness);
  if (outcome === "history") showHistory(byId("pane-history"), overview, at, render);
}

function naturalOutcome(overview) {
  const run = ours();
  if (stageOf(run, "26")?.status === "failed") return "checks";
  if (run && (isActive(run) || run.status !== "succeeded") && overview.latest?.run_id !== run.run_id) return "losses";
  return overview.latest ? "decisions" : "losses";
}

const label = () => view.label ?? text(world.overview?.latest?.label);

/** Which run's decisions are shown, its report and its files. */
function showLinks(overview, outcome) {
  const element = byId("outcome-links");
  const labels = list(overview.results);
  const on = outcome === "decisions" && label();
  renderOnce(element, on ? [labels, label(), Object.keys(world.results.charts)] : null, () => (on ? [
    h("select", { "aria-label": "Decisions of run", onchange: (event) => choose({ label: event.target.value }) }, labels.map((name) => h("option", { value: name, selected: name === label() }, name))),
    h("a", { class: "button quiet", href: `/api/anomaly/results/${label()}/report`, target: "_blank" }, "Report"),
    downloads(),
  ] : null));
}

function downloads() {
  const files = [["summary", "Summary, JSON"], ["checklist", "Checklist, JSON"], ["bundle", "Bundle, ZIP"], ...STREAMS.flatMap((stream) => {
    const title = text(world.overview.streams?.[stream]?.title, stream);
    return world.results.charts[stream] ? [[`${stream}-events-csv`, `${title}: windows, CSV`], [`${stream}-alarms-csv`, `${title}: events, CSV`]] : [];
  })];
  return h("details", { class: "menu" }, h("summary", { class: "button quiet" }, "Save"), h("ul", { class: "panel" }, files.map(([id, words]) => h("li", {}, h("a", { href: `/api/anomaly/results/${label()}/download/${id}`, download: "" }, words)))));
}

function choose(values) {
  Object.assign(view, values);
  if (values.label) Object.assign(world.results, { label: values.label, summary: null, charts: {}, alarms: {} });
  render();
  refreshAll();
}

const nothing = () => {};
const seen = (name) => (view.outcome ?? naturalOutcome(world.overview ?? {})) === name;

function keepOverview(value) {
  world.error = value.schema_version === SCHEMA ? null : { message: `The server speaks version ${text(value.schema_version)}, this page version ${SCHEMA}. Restart the dashboard server, then reload.`, next_command: "python serve_dashboard.py --stop" };
  if (!world.error) world.overview = value;
  if (world.results.label !== label()) Object.assign(world.results, { label: label(), summary: null, charts: {}, alarms: {} });
}

watch("/api/anomaly", { every: OVERVIEW_MS, onData: keepOverview, onError: (error) => { world.error = error; } });
const formWatch = watch(() => `/api/settings/anomaly${chosenProfile() ? `?profile=${chosenProfile()}` : ""}`, { every: DETAIL_MS, onData: (value) => { world.form = value; }, onError: (error) => { settings.problem = text(error.message); } });
watch(() => (world.overview?.readiness ? "/api/anomaly/state" : null), { every: DETAIL_MS, onData: (value) => { world.kept = value; }, onError: nothing });
watch(() => (label() ? `/api/anomaly/results/${label()}` : null), { every: DETAIL_MS, onData: (value) => { world.results.summary = value; }, onError: nothing });
for (const stream of STREAMS) {
  watch(() => (view.side === "quality" && world.overview?.streams?.[stream]?.quality ? `/api/anomaly/quality/${stream}` : null), { every: DETAIL_MS, onData: (value) => { world.reports[stream] = value; }, onError: nothing });
  for (const [name, path] of [["charts", "chart"], ["alarms", "alarms"]]) {
    watch(() => (label() && seen("decisions") && world.results.summary?.streams?.[stream] ? `/api/anomaly/results/${label()}/${stream}/${path}` : null),
      { every: DETAIL_MS, onData: (value) => { world.results[name][stream] = value; }, onError: nothing });
  }
}

/** The profile a run started here would have; null: the configured one. */
function chosenProfile() {
  const profile = wishedProfile(ours());
  return profile && list(page.server?.profiles).includes(profile) ? profile : null;
}

byId("graph-buttons").append(...graph.buttons());
for (const tell of [onAction, onImport, onSetting, onDecision]) tell(render);
onResize(byId("pane-losses"), render);
startPage(render);
