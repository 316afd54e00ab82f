// What every page does: follow the live state and the server's status, show the connection, call render().

import { ago } from "./format.js";
import { byId, setText } from "./dom.js";
import { isActive } from "./status.js";
import { keepStatus, link, now, onTick, start, watch } from "./poll.js";

/** The page's view of the world; written here only. */
export const page = { state: null, server: null };

const IDLE_BEATS = 5; // seconds between redraws of a page without a run
let live = null;
let loadedAssets = null;

/** Begin polling; `render` is called after every answer and once a second. */
export function startPage(render) {
  live = watch("/logs/pipeline_live_state.json", {
    onData: (value) => { page.state = value; link.error = null; },
    onError: (error) => { link.error = error; },
  });
  watch("/api/status", { every: 5000, onData: keepServer });
  let beat = 0;
  onTick((fresh) => {
    beat += 1;
    // Nothing runs: only "5 min ago" moves, and an idle tab should cost nothing.
    if (!fresh && !isActive(page.state) && beat % IDLE_BEATS !== 0) return;
    showLink();
    render();
  });
  start();
}

/** Ask for the live state at once, after a change. */
export const refreshLive = () => live?.refresh();

function keepServer(value) {
  page.server = value;
  keepStatus(value);
  loadedAssets ??= value.server?.assets;
}

function showLink() {
  const updated = page.server && page.server.server?.assets !== loadedAssets;
  const words = link.offline ? "server not answering, trying again"
    : updated ? "the pages were updated: reload"
    : page.state?.updated_at ? `state ${ago(page.state.updated_at, now())}` : "connected";
  setText(byId("link"), link.lastNews === null && !link.offline ? "connecting" : words);
}
