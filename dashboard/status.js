// What the state means, in words and symbols. Pure: state, connection and moment in, sentences out.

import { ago, duration, moment, objects, plural, secondsBetween, text } from "./format.js";

export const SCHEMA = 1;
const STALE_S = 30; // the orchestrator writes at least every 2 s; 15 missed beats mean trouble
const ACTIVE = new Set(["starting", "running", "retrying", "stopping"]);

// ‖ stands for waiting: the pause sign is missing from many system fonts.
const MARKS = {
  idle: "○", pending: "○", starting: "◐", running: "◐", retrying: "‖", stopping: "◐", waiting: "‖",
  done: "●", succeeded: "●", fail: "✕", failed: "✕", skipped: "–", stopped: "■",
  offline: "✕", stale: "!", outdated: "!", unreadable: "!", warning: "!", critical: "✕", info: "○",
};
const WORDS = {
  idle: "idle", pending: "to do", starting: "starting", running: "running", retrying: "waiting to retry", stopping: "stopping",
  waiting: "waiting",
  succeeded: "done", failed: "failed", skipped: "skipped", stopped: "stopped", done: "done", fail: "failed",
};

export const mark = (status) => MARKS[status] ?? "○";
export const word = (status) => WORDS[status] ?? text(status, "unknown");
export const isActive = (state) => ACTIVE.has(state?.status);
export const knownStatus = (status) => (status in WORDS ? status : "idle");

export const stagesOf = (state) => objects(state?.stages).filter((stage) => text(stage.id));
export const stageOf = (state, id) => stagesOf(state).find((stage) => stage.id === id) ?? null;
export const currentStage = (state) => stageOf(state, state?.current?.stage);

/** The stage to show when nobody chose one: the current one, else the one that failed, else the last that ran. */
export function naturalStage(state) {
  const started = stagesOf(state).filter((stage) => stage.started_at);
  const failed = started.find((stage) => stage.status === "failed");
  return currentStage(state)?.id ?? failed?.id ?? started.at(-1)?.id ?? stagesOf(state)[0]?.id ?? null;
}

/** Seconds without news from the orchestrator. */
export function silence(state, now) {
  const last = Math.max(moment(state?.updated_at) ?? 0, moment(state?.heartbeat?.at) ?? 0);
  return last ? (now - last) / 1000 : null;
}

/**
 * What holds right now: {kind, status, title, detail, command}. `link` is poll.js's view of the server.
 * kind: live | finished | stale | offline | outdated | unreadable | idle
 */
export function bannerOf(state, link, now) {
  if (link.offline) return offline(state, link, now);
  if (link.error) {
    return { kind: "unreadable", status: "unreadable", title: "State not readable", detail: link.error.message, command: link.error.next_command };
  }
  if (!state) return { kind: "connecting", status: "idle", title: "Connecting", detail: "", command: null };
  if (state.schema_version !== SCHEMA) return outdated(state);
  if (!state.run_id || state.status === "idle") {
    return { kind: "idle", status: "idle", title: "No run yet", detail: "Nothing has been trained in this project.", command: "python launch_pipeline.py" };
  }
  if (isActive(state)) return active(state, now);
  return ended(state);
}

function offline(state, link, now) {
  const seen = link.lastNews ? `Last answer ${ago(new Date(link.lastNews).toISOString(), now)}. ` : "";
  const rest = state?.run_id ? "What is shown below is from then; a run goes on without the dashboard." : "A run goes on without it.";
  return { kind: "offline", status: "offline", title: "Dashboard server not answering", detail: seen + rest, command: "python serve_dashboard.py --background" };
}

function outdated(state) {
  const theirs = text(state.schema_version, "none");
  return {
    kind: "outdated", status: "outdated", title: "Page and run speak different versions",
    detail: `The run writes state version ${theirs}, this page reads version ${SCHEMA}. Restart the dashboard server, then reload this page.`,
    command: "python serve_dashboard.py --stop",
  };
}

function active(state, now) {
  const quiet = silence(state, now);
  if (quiet !== null && quiet > STALE_S) {
    return {
      kind: "stale", status: "stale", title: `No news for ${duration(quiet)}`,
      detail: `The run was ${word(state.status)} when the orchestrator was last heard. It may be gone, or the computer asleep; a stage at work goes on under its guard.`,
      command: "python launch_pipeline.py --status",
    };
  }
  if (state.waiting && state.status !== "stopping") {
    return { kind: "live", status: "waiting", title: WAITS[state.waiting.kind] ?? "Waiting", detail: waitingWords(state, now), command: null };
  }
  return { kind: "live", status: state.status, title: TITLES[state.status], detail: activeDetail(state, now), command: null };
}

/** "GPU 0, held by …" as a sentence, with how long it has been waited; empty when nothing is waited for. */
export function waitingWords(state, now) {
  const words = text(state?.waiting?.words);
  return words ? `Waiting for ${duration(secondsBetween(state.waiting.since, now))} for ${words}. The run goes on by itself; no attempt is used up.` : "";
}

const WAITS = { waiting_gpu: "Waiting for the GPU", waiting_room: "Waiting for room on the disk" };

const TITLES = { starting: "Starting", running: "Running", retrying: "Waiting to retry", stopping: "Stopping" };

function activeDetail(state, now) {
  if (state.status === "retrying") return [retryWords(state, now), retryCause(state)].filter(Boolean).join(" ");
  if (state.status === "stopping") return "Waiting for the next safe boundary; what is done so far is kept.";
  return "";
}

/** "Train LoRA adapter will be started again in 28 s (attempt 2 of 3)." */
export function retryWords(state, now) {
  const retry = state.retry;
  if (!retry) return "";
  const title = text(stageOf(state, retry.stage)?.title, text(retry.stage));
  const left = secondsBetween(new Date(now).toISOString(), retry.next_at);
  const when = left !== null && left > 0.5 ? `in ${duration(left)}` : "now";
  return `${title} starts again ${when} (attempt ${text(retry.attempt)} of ${text(retry.max_attempts)}).`;
}

/** "Cause: out of memory in training: a step does not fit. What changes: micro-batch x accumulation 4 x 1 to 2 x 2." */
export function retryCause(state) {
  const { words, cause, change } = state.retry ?? {};
  const why = [text(words), text(cause)].filter(Boolean).join(": ");
  return [why && `Cause: ${why.replace(/[.\s]+$/, "")}.`, text(change) && `What changes: ${text(change)}.`].filter(Boolean).join(" ");
}

/** "micro-batch x accumulation: 4 x 1 → 2 x 2" */
export const changeWords = (change) => `${text(change.setting, "setting")}: ${text(change.old, "?")} → ${text(change.new, "?")}`;

/** What a run has done with its version: a run of training alone has examined nothing. */
function achieved(state) {
  const did = (number) => stagesOf(state).some((stage) => stage.id.split("-")[0] === number && stage.status === "succeeded");
  const parts = [did("04") && "trained", did("12") && "examined", did("16") && "backed up"].filter(Boolean);
  return parts.length ? [parts.slice(0, -1).join(", "), parts.at(-1)].filter(Boolean).join(" and ") : "done";
}

function ended(state) {
  const took = duration(secondsBetween(state.started_at, state.ended_at ?? state.updated_at));
  const base = { kind: "finished", status: knownStatus(state.status), command: null };
  if (state.status === "succeeded") {
    const what = text(state.result?.version) ? `${state.result.version} is ${achieved(state)}` : "All stages are done";
    return { ...base, title: "Finished", detail: `${what}; it took ${took}.` };
  }
  if (state.status === "stopped") {
    return { ...base, title: "Stopped", detail: stoppedWords(state), command: state.resumable ? "python launch_pipeline.py --resume" : null };
  }
  const error = objects(state.errors).at(-1);
  const stage = stagesOf(state).find((row) => row.status === "failed");
  return {
    ...base, title: stage ? `Failed in ${text(stage.title)}` : "Failed", detail: text(error?.message, text(stage?.message, "No reason was recorded.")),
    command: text(error?.next_command) || (state.resumable ? "python launch_pipeline.py --resume" : null),
  };
}

function stoppedWords(state) {
  const done = stagesOf(state).filter((stage) => stage.status === "succeeded" || stage.status === "skipped").length;
  const by = state.stop?.by ? ` by ${byWords(state.stop.by)}` : "";
  return `Stopped${by} after ${done} of ${plural(stagesOf(state).length, "stage")}${state.resumable ? "; it can go on where it was" : ""}.`;
}

export const byWords = (by) => ({ page: "a page", terminal: "the terminal", signal: "a signal" })[by] ?? text(by, "somebody");

/** Who asked to stop and whether the run has answered; empty when nobody asked. */
export function stopWords(state, now) {
  const stop = state?.stop;
  if (!stop) return "";
  const asked = `Stop asked by ${byWords(stop.by)} ${ago(stop.requested_at, now)}`;
  return stop.answered_at ? `${asked}, answered ${ago(stop.answered_at, now)}.` : `${asked}, not answered yet.`;
}

/** Seconds a stage has run or took; null before it started. */
export function stageSeconds(stage, now) {
  if (!stage?.started_at) return null;
  return secondsBetween(stage.started_at, stage.ended_at ?? now);
}
