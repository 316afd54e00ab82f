// The runs table: filter, open the report or the log, choose two to compare.

import { h, keyed, setClass, setText } from "./dom.js";
import { ago, clock, duration, exact, isNumber, number, secondsBetween, text } from "./format.js";
import { knownStatus, mark, word } from "./status.js";

const picked = new Set();

/** The ids of the runs chosen for comparison, in the order of choice. */
export const pickedRuns = () => [...picked];

/** Draw the rows that match `filter` into a tbody; `versions` are the hub's. */
export function showRuns(body, runs, versions, filter, now, redraw) {
  const wanted = filter.trim().toLowerCase();
  const rows = runs.filter((run) => !wanted || haystack(run).includes(wanted));
  const scores = new Map(versions.map((row) => [row.run_id, row]));
  keyed(body, rows, (run) => run.run_id, (run) => makeRow(run, redraw), (row, run) => updateRow(row, run, scores.get(run.run_id), now));
  return rows.length;
}

const haystack = (run) => [run.run_id, run.status, word(run.status), run.profile, run.mode, run.version].map((part) => text(part)).join(" ").toLowerCase();

function makeRow(run, redraw) {
  const pick = h("input", { type: "checkbox", "aria-label": `Compare run ${run.run_id}` });
  pick.addEventListener("change", () => {
    if (pick.checked) picked.add(run.run_id);
    else picked.delete(run.run_id);
    if (picked.size > 2) picked.delete([...picked][0]);
    redraw();
  });
  const cells = ["status", "mono", "", "number", "", "", "number", "number", "number"].map((name) => h("td", { class: name }));
  return h("tr", {}, h("td", {}, pick), cells, h("td", {}, h("a", { href: `/api/runs/${run.run_id}/report`, target: "_blank" }, "Report")));
}

function updateRow(row, run, version, now) {
  const [pick, status, id, started, took, profile, made, unseen, loss, evalLoss, report] = row.children;
  pick.firstElementChild.checked = picked.has(run.run_id);
  setClass(status, `status tone ${knownStatus(run.status)}`);
  setText(status, `${mark(run.status)} ${word(run.status)}`);
  status.title = text(run.message);
  setText(id, run.run_id);
  setText(started, run.started_at ? `${clock(run.started_at, now)} (${ago(run.started_at, now)})` : "–");
  started.title = exact(run.started_at);
  setText(took, duration(secondsBetween(run.started_at, run.ended_at ?? run.updated_at)) || "–");
  setText(profile, [run.profile, run.mode === "full" ? "" : run.mode].map((part) => text(part)).filter(Boolean).join(" · "));
  setText(made, text(run.version, text(version?.version, "–")));
  setText(unseen, isNumber(version?.exam?.unseen?.score?.value) ? version.exam.unseen.score.value.toFixed(2) : "–");
  setText(loss, isNumber(version?.loss) ? number(version.loss) : "–");
  setText(evalLoss, isNumber(version?.eval_loss) ? number(version.eval_loss) : "–");
  report.firstElementChild.hidden = run.report !== true;
}
