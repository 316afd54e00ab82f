// The hub: what came out, over all runs.

import { onResize } from "./chart.js";
import { compareRuns } from "./compare.js";
import { byId, commandLine, h, renderOnce, setClass, setText } from "./dom.js";
import { ago, isNumber, objects, plural, text } from "./format.js";
import { showHealth, showLessons, showTiles } from "./hub_panels.js";
import { showMastery } from "./mastery.js";
import { page, startPage } from "./page.js";
import { link, now, watch } from "./poll.js";
import { pickedRuns, showRuns } from "./runs.js";
import { showScores } from "./scores.js";
import { bannerOf, currentStage, mark } from "./status.js";
import { showTrainingData } from "./training_data.js";

const SCHEMA = 1;
const world = { hub: null, runs: null, error: null, compared: "" };
const mastery = { grid: byId("mastery"), counts: byId("mastery-counts"), failures: byId("failures") };

function render() {
  const at = now();
  showNowLine(at);
  showNotice(at);
  if (!world.hub || !world.runs) return;
  const hub = world.hub;
  const versions = objects(hub.versions);
  const empty = !versions.length && !hub.generated_at;
  byId("welcome").hidden = !(empty && !world.runs.length);
  byId("no-results").hidden = !(empty && world.runs.length);
  byId("results").hidden = empty;
  byId("runs-panel").hidden = !world.runs.length;
  if (!empty) showResults(hub, at);
  const shown = showRuns(byId("runs"), world.runs, versions, byId("filter").value, at, render);
  setText(byId("runs-count"), byId("filter").value ? `${shown} of ${plural(world.runs.length, "run")}` : plural(world.runs.length, "run"));
  showCompare(versions);
}

function showResults(hub, at) {
  showTiles(byId("tiles"), hub, at);
  showScores(byId("scores"), byId("scores-legend"), hub);
  showMastery(mastery, hub.mastery, render);
  showHealth(byId("health"), hub.health);
  showTrainingData({ body: byId("training-data"), made: byId("training-data-made") }, hub.card, hub.dataset, at);
  showLessons(byId("lessons"), hub.next_lessons);
  setText(byId("generated"), hub.generated_at ? `results of ${ago(hub.generated_at, at)}` : "");
}

/** One line about the run that goes on now, with a way to its page. */
function showNowLine(at) {
  const banner = bannerOf(page.state, link, at);
  const line = byId("now-line");
  line.hidden = ["idle", "connecting", "unreadable"].includes(banner.kind);
  setClass(line, `panel now-line ${banner.status}`);
  const stage = banner.kind === "live" ? currentStage(page.state) : null;
  const { done, total } = stage?.progress ?? {};
  const share = isNumber(done) && isNumber(total) && total > 0 ? ` ${Math.round((100 * done) / total)}\u202f%` : "";
  setText(byId("now-mark"), mark(banner.status));
  setText(byId("now-title"), [banner.title, stage ? `${text(stage.title)}${share}` : banner.detail].filter(Boolean).join(" · "));
}

function showNotice(at) {
  const wrong = world.hub && world.hub.schema_version !== SCHEMA;
  const error = world.error ?? (wrong ? { message: `The results are of version ${text(world.hub.schema_version)}, this page reads version ${SCHEMA}. Write them again.`, next_command: "python scripts/14_update_dashboard.py" } : null);
  const banner = bannerOf(page.state, link, at);
  const shown = error ?? (banner.kind === "unreadable" ? { message: banner.detail, next_command: banner.command } : null);
  byId("notice").hidden = !shown;
  renderOnce(byId("notice"), shown, () => (shown ? [h("p", {}, text(shown.message)), shown.next_command ? commandLine(text(shown.next_command)) : null] : null));
}

function showCompare(versions) {
  const ids = pickedRuns();
  const key = ids.join(" ");
  byId("compare").hidden = ids.length !== 2;
  setText(byId("compare-hint"), ids.length === 1 ? "Choose a second run to compare." : "");
  if (key === world.compared || ids.length !== 2) {
    if (ids.length !== 2) world.compared = key;
    return;
  }
  world.compared = key;
  compareRuns(byId("compare-body"), [...ids].sort(), versions);
}

const noted = (apply) => (value) => {
  world.error = null;
  apply(value);
};
const failed = (error) => { world.error = error; };

watch("/results/dashboard.json", { every: 5000, onData: noted((value) => { world.hub = value; }), onError: failed });
watch("/api/runs", { every: 5000, onData: (value) => { world.runs = objects(value.runs); } });
byId("filter").addEventListener("input", render);
byId("welcome-command").append(commandLine("python launch_pipeline.py"));
onResize(byId("scores"), render);
startPage(render);
