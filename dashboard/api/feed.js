// The one long poll of the page: the account's events, for every view that asks for them, and the calls as
// they are now. Rests while nobody looks at the page, and backs off while the server does not answer.

import { get } from "./requests.js";

const MAX_EVENTS = 500; // kept for the view of events
const PAGE_SIZE = 100;
const POLL_S = 20;
const BACKOFF_MS = [1000, 2000, 5000, 10000, 20000];

/** The last events, oldest first. */
export const recentEvents = [];
/** Every call that the page has seen, by id, in its newest version. */
export const calls = new Map();

const eventListeners = new Set();
const callListeners = new Set();
const statusListeners = new Set();
const changedIds = new Set();
let status = "connecting";
let running = null;

/** Return `connecting`, `live`, `paused` or `offline`. */
export const feedStatus = () => status;

const subscriptionTo = (listeners) => (listener, signal) => {
  listeners.add(listener);
  signal?.addEventListener("abort", () => listeners.delete(listener));
};
/** Call `listener` with each batch of new events, until `signal` aborts. */
export const onEvents = subscriptionTo(eventListeners);
/** Call `listener` with the ids of calls that changed, at most once a frame, until `signal` aborts. */
export const onCalls = subscriptionTo(callListeners);
/** Call `listener` with each new status of the feed. */
export const onStatus = subscriptionTo(statusListeners);

/** Take calls over from an answer or an event, each if it is newer than the one that is known. */
export function mergeCalls(list) {
  for (const call of list) {
    const known = calls.get(call.call_id);
    if (known && known.version > call.version) continue;
    if (known && known.version === call.version && !("audio" in call)) continue;
    if (!changedIds.size) requestAnimationFrame(reportCalls);
    changedIds.add(call.call_id);
    calls.set(call.call_id, call);
  }
}

function reportCalls() {
  const ids = new Set(changedIds);
  changedIds.clear();
  for (const listener of callListeners) listener(ids);
}

/**
 * Begin to poll.
 * @param {EventTarget & {hidden: boolean}} page the document: it tells by `visibilitychange` whether
 *   anybody looks at it
 */
export function startFeed(page) {
  stopFeed();
  running = new AbortController();
  poll(page, running.signal);
}

/** Stop, and forget everything: the next session may be another account's. */
export function stopFeed() {
  running?.abort();
  recentEvents.length = 0;
  calls.clear();
  changedIds.clear();
}

async function poll(page, signal) {
  let cursor = "recent";
  let failures = 0;
  setStatus("connecting");
  while (!signal.aborted) {
    if (page.hidden) {
      setStatus("paused");
      await untilVisible(page, signal);
    }
    const wait = cursor === "recent" || failures ? 0 : POLL_S;
    try {
      const batch = await fetchWhileVisible(page, { after: cursor, wait, limit: PAGE_SIZE }, signal);
      if (signal.aborted) return;
      cursor = batch.cursor;
      failures = 0;
      setStatus("live");
      publish(batch.events);
    } catch (problem) {
      if (signal.aborted || problem.status === 401) return;
      if (problem.code === "bad_cursor") cursor = "latest";
      if (problem.name !== "AbortError") {
        setStatus("offline");
        await waitOrOnline(backOffMs(failures++, problem.retryAfter), signal);
      }
    }
  }
}

/** Ask for events; give up with an AbortError when the page is hidden. */
async function fetchWhileVisible(page, query, signal) {
  const hidden = new AbortController();
  const hide = () => page.hidden && hidden.abort();
  page.addEventListener("visibilitychange", hide);
  try {
    return await get("events", query, AbortSignal.any([signal, hidden.signal]));
  } finally {
    page.removeEventListener("visibilitychange", hide);
  }
}

function backOffMs(failures, retryAfterS) {
  const ms = BACKOFF_MS[Math.min(failures, BACKOFF_MS.length - 1)];
  return Math.max(ms * (0.8 + 0.4 * Math.random()), (retryAfterS ?? 0) * 1000);
}

function publish(events) {
  const known = new Set(recentEvents.map((event) => event.event_id));
  const fresh = events.filter((event) => !known.has(event.event_id));
  if (!fresh.length) return;
  recentEvents.push(...fresh);
  recentEvents.splice(0, recentEvents.length - MAX_EVENTS);
  mergeCalls(fresh.flatMap((event) => event.data.call ?? []));
  // Each on its own: an error in a view must not look like a server that is away.
  for (const listener of eventListeners) queueMicrotask(() => listener(fresh));
}

function setStatus(now) {
  if (now === status) return;
  status = now;
  for (const listener of statusListeners) listener(now);
}

function untilVisible(page, signal) {
  return until(signal, (resolve) =>
    page.addEventListener("visibilitychange", () => page.hidden || resolve(), { signal }),
  );
}

function waitOrOnline(ms, signal) {
  return until(signal, (resolve) => {
    setTimeout(resolve, ms);
    globalThis.addEventListener("online", resolve, { once: true, signal });
  });
}

/** Wait until `arrange` has its callback called, or `signal` aborts. */
function until(signal, arrange) {
  return new Promise((resolve) => {
    signal.addEventListener("abort", resolve, { once: true });
    arrange(resolve);
  });
}
