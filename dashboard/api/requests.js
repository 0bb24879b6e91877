// Requests to the REST API, and the problems that they end in. The session is a cookie that scripts
// cannot read; no API key is kept anywhere in the page.

import { adjustClock } from "./time.js";

/** The URL that `api/` and `dashboard/` are below: the stage's, whichever that is. */
export const BASE_URL = new URL("../../", import.meta.url).href;

/** A request that failed: the server's RFC 9457 problem, or `offline` if there was no answer. */
export class Problem extends Error {
  constructor(status, body, retryAfter) {
    super(body.detail || body.title || `HTTP ${status}`);
    this.status = status;
    this.body = body;
    this.code = body.code ?? "";
    this.title = body.title ?? `HTTP ${status}`;
    this.detail = body.detail ?? "";
    /** @type {{field: string, message: string}[]} */
    this.errors = body.errors ?? [];
    this.retryAfter = retryAfter;
  }
}

let sessionOver = () => {};

let writeCount = 0; // of all writes that this page has sent
const pendingWrites = new Set();

/** Call `listener` when the session turns out to be over. */
export function onSessionOver(listener) {
  sessionOver = listener;
}

const OFFLINE = {
  code: "offline",
  title: "The server was not reached",
  detail: "Check the connection, then try again. Nothing here is lost.",
};

/**
 * Send a request; return the answer's JSON, or null if it has none. Throws Problem, or AbortError.
 * @param {string} method
 * @param {string} path such as `calls`, below `/api/`
 * @param {{body?: object, query?: object, signal?: AbortSignal, key?: string}} [options]
 *   key: an Idempotency-Key
 */
export async function request(method, path, { body, query, signal, key } = {}) {
  const url = new URL(`api/${path}`, BASE_URL);
  for (const [name, value] of Object.entries(query ?? {})) {
    if (value != null && value !== "") url.searchParams.set(name, value);
  }
  const headers = { Accept: "application/json", "X-Chamade-Session": "1" };
  if (body) headers["Content-Type"] = "application/json";
  if (key) headers["Idempotency-Key"] = key;
  const sent = Date.now();
  let answer, text;
  try {
    answer = await fetch(url, { method, headers, body: body && JSON.stringify(body), signal });
    adjustClock(answer.headers.get("Date"), sent, Date.now());
    text = await answer.text();
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(0, OFFLINE);
  }
  const content = parseJson(text);
  if (answer.ok) return content;
  if (answer.status === 401 && path !== "session") sessionOver();
  throw new Problem(answer.status, content ?? {}, Number(answer.headers.get("Retry-After")) || null);
}

function parseJson(text) {
  try {
    return text ? JSON.parse(text) : null;
  } catch {
    return null; // a proxy's page, not ours
  }
}

export const get = (path, query, signal) => request("GET", path, { query, signal });
export const post = (path, body) => write("POST", path, { body });
export const patch = (path, body) => write("PATCH", path, { body });
export const put = (path, body) => write("PUT", path, { body });
export const del = (path) => write("DELETE", path);

/**
 * Read what a view already shows. Read it again if the page wrote something meanwhile: an answer from
 * before a write must not undo on the screen what the write did.
 */
export async function getAgain(path, signal) {
  for (;;) {
    await Promise.allSettled(pendingWrites);
    const before = writeCount;
    const answer = await get(path, {}, signal);
    if (writeCount === before) return answer;
  }
}

async function write(method, path, options) {
  writeCount += 1;
  const answer = request(method, path, options);
  pendingWrites.add(answer);
  try {
    return await answer;
  } finally {
    pendingWrites.delete(answer);
  }
}

/**
 * Create something. If the answer was lost the request is sent once more, with the same
 * Idempotency-Key, so that it is done once.
 */
export async function create(path, body) {
  const key = globalThis.crypto.randomUUID?.(); // not on plain http elsewhere than localhost
  try {
    return await write("POST", path, { body, key });
  } catch (problem) {
    if (problem.code !== "offline" || !key) throw problem;
    return await write("POST", path, { body, key });
  }
}
