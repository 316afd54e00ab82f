// The only module that touches the network and the clock: one poller, one request in flight, ETag, back-off.

const VISIBLE_MS = 2000;
const HIDDEN_MS = 15000;
const WORST_MS = 60000;
const TIMEOUT_MS = 10000;

/** What the pages know about the server. `skew` is server time minus ours, for browsers on another computer. */
export const link = { offline: false, failures: 0, lastNews: null, skew: 0, error: null };

const resources = [];
const tickers = [];
let busy = false;
let timer = null;
let status = null;

/** The present moment by the server's clock, in milliseconds. */
export const now = () => Date.now() + link.skew;

/** Call `fn(fresh)` about once a second while the page is visible, and with true after every new answer. */
export function onTick(fn) {
  tickers.push(fn);
}

/**
 * Poll `url` (a string, or a function that gives one or null for "not now"): onData(value) when it changed,
 * onError({message, next_command}) when the server refuses. `every` is in milliseconds; null asks once.
 */
export function watch(url, { every = VISIBLE_MS, onData, onError = () => {} }) {
  const resource = { url, every, onData, onError, etag: null, asked: null, due: 0 };
  resources.push(resource);
  return { refresh: () => hurry(resource) };
}

export function start() {
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) resources.forEach((resource) => { resource.due = resource.every === null ? resource.due : 0; });
    plan(0);
  });
  setInterval(() => tick(false), 1000);
  plan(0);
}

function tick(fresh) {
  if (!document.hidden) tickers.forEach((fn) => fn(fresh));
}

/** Ask for everything now that is asked for again and again. */
export function refreshAll() {
  for (const resource of resources) if (resource.every !== null) resource.due = 0;
  plan(0);
}

function hurry(resource) {
  resource.due = 0;
  plan(0);
}

function plan(wait) {
  clearTimeout(timer);
  timer = setTimeout(step, wait);
}

async function step() {
  if (busy) return;
  const due = resources.filter((resource) => resource.due <= Date.now() && address(resource)).sort((a, b) => a.due - b.due)[0];
  if (due) {
    busy = true;
    await ask(due);
    busy = false;
  }
  plan(untilNext());
}

const address = (resource) => (typeof resource.url === "function" ? resource.url() : resource.url);

function untilNext() {
  const waits = resources.filter(address).map((resource) => resource.due - Date.now());
  return Math.min(Math.max(20, Math.min(...waits, VISIBLE_MS)), WORST_MS);
}

async function ask(resource) {
  const url = address(resource);
  if (url !== resource.asked) resource.etag = null;
  resource.asked = url;
  try {
    const wasOffline = link.offline;
    const response = await request(url, resource.etag ? { "If-None-Match": resource.etag } : {});
    heard(response);
    resource.due = resource.every === null ? Infinity : Date.now() + (document.hidden ? Math.max(HIDDEN_MS, resource.every) : resource.every);
    if ((await deliver(resource, response)) || wasOffline) tick(true);
  } catch (error) {
    if (!(error instanceof TypeError || error.name === "AbortError" || error.name === "TimeoutError")) throw error;
    lost(resource);
    tick(true);
  }
}

/** Hand the answer over; returns whether there was anything new. */
async function deliver(resource, response) {
  if (response.status === 304) return false;
  const value = await json(response);
  if (!response.ok || value === null) {
    resource.etag = null;
    resource.onError(value?.error ?? { message: `the server answered ${response.status}`, next_command: null });
    return true;
  }
  resource.etag = response.headers.get("ETag");
  resource.onData(value);
  return true;
}

function heard(response) {
  const date = Date.parse(response.headers.get("Date") ?? "");
  // Date has whole seconds: a smaller difference than 2 s is not one.
  if (!Number.isNaN(date)) link.skew = Math.abs(date - Date.now()) > 2000 ? date - Date.now() : 0;
  link.lastNews = now();
  link.failures = 0;
  link.offline = false;
}

function lost(resource) {
  link.failures += 1;
  link.offline = link.failures >= 2 || link.lastNews === null;
  const wait = Math.min(WORST_MS, VISIBLE_MS * 2 ** (link.failures - 1)) * (0.8 + 0.4 * Math.random());
  for (const each of resources) if (each.due !== Infinity) each.due = Math.max(each.due, Date.now() + wait);
  resource.due = Date.now() + wait;
}

function request(url, headers = {}, body = undefined) {
  return fetch(url, {
    method: body === undefined ? "GET" : "POST",
    headers,
    body,
    cache: "no-store",
    credentials: "omit",
    redirect: "error",
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
}

async function json(response) {
  try {
    return await response.json();
  } catch {
    return null; // not JSON: the caller reports the HTTP status
  }
}

/** Ask once, outside the poll: {ok, value, error}. Never throws. */
export async function fetchOnce(url, { asText = false } = {}) {
  try {
    const response = await request(url);
    if (response.ok) return { ok: true, value: asText ? await response.text() : await json(response) };
    return { ok: false, error: (await json(response))?.error ?? { message: `the server answered ${response.status}` } };
  } catch {
    return { ok: false, error: SILENT };
  }
}

/** Keep the server's own status: it carries the token for changes. */
export function keepStatus(value) {
  status = value;
}

/** Ask for the status now; after a server restart the old token no longer counts. */
async function serverStatus() {
  const answer = await fetchOnce("/api/status");
  status = answer.ok ? answer.value : null;
}

const SILENT = { message: "the dashboard server does not answer", next_command: "python serve_dashboard.py --background" };

/** Ask for a change; the same request id is repeated if the server was restarted in between. */
export const post = (path, fields) => withToken(() => JSON.stringify({ ...fields, request_id: crypto.randomUUID() }), (body) => change(path, body));

/** Ask a question that needs a body and changes nothing. */
export const inquire = (path, fields) => withToken(() => JSON.stringify(fields), (body) => change(path, body));

/** Send a file's bytes; `told(bytes)` follows them, `signal` ends it: {ok, status, value, error}. Never throws. */
export const upload = (path, file, told, signal) => withToken(() => file, (body) => send(path, body, told, signal));

async function withToken(makeBody, act) {
  const body = makeBody();
  for (const attempt of [1, 2]) {
    if (!status || attempt === 2) await serverStatus();
    if (!status) return { ok: false, status: 0, error: SILENT };
    const answer = await act(body);
    if (answer.status !== 403 || attempt === 2) return answer;
  }
  return null;
}

/** XMLHttpRequest, because fetch does not tell how much of a body has been sent. */
function send(path, file, told, signal) {
  return new Promise((resolve) => {
    const asked = new XMLHttpRequest();
    asked.open("POST", path);
    asked.setRequestHeader("Content-Type", "application/octet-stream");
    asked.setRequestHeader("X-Nightforge-Token", status.token);
    asked.responseType = "json";
    asked.upload.addEventListener("progress", (event) => told(event.loaded));
    asked.addEventListener("load", () => {
      const ok = asked.status >= 200 && asked.status < 300;
      resolve({ ok, status: asked.status, value: asked.response, error: ok ? null : asked.response?.error ?? { message: `the server answered ${asked.status}` } });
    });
    asked.addEventListener("error", () => resolve({ ok: false, status: 0, error: { message: "the connection broke off; the file may have changed, or the server has ended" } }));
    asked.addEventListener("abort", () => resolve({ ok: false, status: 0, error: { message: "ended here" } }));
    signal.addEventListener("abort", () => asked.abort());
    asked.send(file);
  });
}

async function change(path, body) {
  try {
    const response = await request(path, { "Content-Type": "application/json", "X-Nightforge-Token": status.token }, body);
    const value = await json(response);
    return { ok: response.ok, status: response.status, value, error: response.ok ? null : value?.error ?? { message: `the server answered ${response.status}` } };
  } catch {
    return { ok: false, status: 0, error: SILENT };
  }
}
