// The one long poll of the page: what happens to the account, for every view that wants to know, and
// the calls as they are now. Rests while the tab is hidden, and backs off while nobody answers.

import { get } from "./api.js";

const KEPT = 500; // events, for the live tail
const PAGE = 100;
const BACKOFF_MS = [1000, 2000, 5000, 10000, 20000];

/** The last events, oldest first. */
export const recent = [];
/** Every call that the page has seen, by id, as it was last told. */
export const calls = new Map();

const eventListeners = new Set();
const callListeners = new Set();
const statusListeners = new Set();
const changed = new Set();
let status = "connecting";
let running = null;

/** `connecting`, `live`, `paused` or `offline`. */
export const feedStatus = () => status;

const listening = (set) => (listener, signal) => {
  set.add(listener);
  signal?.addEventListener("abort", () => set.delete(listener));
};
/** Calls back with each batch of new events. */
export const onEvents = listening(eventListeners);
/** Calls back with the ids of calls that changed, at most once a frame. */
export const onCalls = listening(callListeners);
export const onStatus = listening(statusListeners);

/** Takes calls from anywhere, an answer or an event; the newer version of each counts. */
export function learn(list) {
  for (const call of list) {
    const known = calls.get(call.call_id);
    if (known && known.version > call.version) continue;
    if (known && known.version === call.version && !("audio" in call)) continue;
    if (!changed.size) requestAnimationFrame(tellCalls);
    changed.add(call.call_id);
    calls.set(call.call_id, call);
  }
}

function tellCalls() {
  const ids = new Set(changed);
  changed.clear();
  for (const listener of callListeners) listener(ids);
}

/** Begins to listen. */
export function start() {
  stop();
  running = new AbortController();
  poll(running.signal);
}

/** Stops, and forgets everything: the next session may be another account's. */
export function stop() {
  running?.abort();
  recent.length = 0;
  calls.clear();
  changed.clear();
}

async function poll(signal) {
  let cursor = "recent";
  let failures = 0;
  tell("connecting");
  while (!signal.aborted) {
    if (document.hidden) {
      tell("paused");
      await shown(signal);
    }
    const hidden = new AbortController();
    const hide = () => document.hidden && hidden.abort();
    document.addEventListener("visibilitychange", hide);
    try {
      const wait = cursor === "recent" || failures ? 0 : 20;
      const page = await get("events", { after: cursor, wait, limit: PAGE }, AbortSignal.any([signal, hidden.signal]));
      if (signal.aborted) return;
      cursor = page.cursor;
      failures = 0;
      tell("live");
      take(page.events);
    } catch (problem) {
      if (signal.aborted || problem.status === 401) return;
      if (problem.code === "bad_cursor") cursor = "latest";
      if (problem.name !== "AbortError") {
        tell("offline");
        const gap = BACKOFF_MS[Math.min(failures++, BACKOFF_MS.length - 1)];
        await pause(Math.max(gap * (0.8 + 0.4 * Math.random()), (problem.retryAfter ?? 0) * 1000), signal);
      }
    } finally {
      document.removeEventListener("visibilitychange", hide);
    }
  }
}

function take(events) {
  const known = new Set(recent.map((event) => event.event_id));
  const fresh = events.filter((event) => !known.has(event.event_id));
  if (!fresh.length) return;
  recent.push(...fresh);
  recent.splice(0, recent.length - KEPT);
  learn(fresh.flatMap((event) => event.data.call ?? []));
  // On their own: what fails in a view must not look like a server that is away.
  for (const listener of eventListeners) queueMicrotask(() => listener(fresh));
}

function tell(now) {
  if (now === status) return;
  status = now;
  for (const listener of statusListeners) listener(now);
}

function shown(signal) {
  return until(signal, (done) =>
    document.addEventListener("visibilitychange", () => document.hidden || done(), { signal }),
  );
}

function pause(ms, signal) {
  return until(signal, (done) => {
    setTimeout(done, ms);
    globalThis.addEventListener("online", done, { once: true, signal });
  });
}

function until(signal, arrange) {
  return new Promise((done) => {
    signal.addEventListener("abort", done, { once: true });
    arrange(done);
  });
}
