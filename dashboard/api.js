// Requests to the REST API, and what goes wrong with them. The session is a cookie that scripts
// cannot read; no API key is kept anywhere in the page.

import { learnTime } from "./time.js";

/** Where the API is: beside the folder that this file is in, whatever stage that lies below. */
export const ROOT = new URL("../", import.meta.url).href;

/** What the server refused, or could not be asked: an RFC 9457 problem. */
export class Problem extends Error {
  constructor(status, document, retryAfter) {
    super(document.detail || document.title || `HTTP ${status}`);
    this.status = status;
    this.document = document;
    this.code = document.code ?? "";
    this.title = document.title ?? `HTTP ${status}`;
    this.detail = document.detail ?? "";
    /** @type {{field: string, message: string}[]} */
    this.errors = document.errors ?? [];
    this.retryAfter = retryAfter;
  }
}

let onSessionOver = () => {};

/** Has `listener` called when the session turns out to be over. */
export function whenSessionIsOver(listener) {
  onSessionOver = listener;
}

const OFFLINE = {
  code: "offline",
  title: "The server was not reached",
  detail: "Check the connection, then try again. Nothing here is lost.",
};

/**
 * One request; the answer's JSON, or null if it has none. Throws Problem, or AbortError.
 * @param {string} method
 * @param {string} path such as `calls`, below `/api/`
 * @param {{body?: object, query?: object, signal?: AbortSignal, key?: string}} [options]
 *   key: an Idempotency-Key
 */
export async function request(method, path, { body, query, signal, key } = {}) {
  const url = new URL(`api/${path}`, ROOT);
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
    learnTime(answer.headers.get("Date"), sent, Date.now());
    text = await answer.text();
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(0, OFFLINE);
  }
  const document = parsed(text);
  if (answer.ok) return document;
  const problem = new Problem(answer.status, document ?? {}, Number(answer.headers.get("Retry-After")) || null);
  if (answer.status === 401 && path !== "session") onSessionOver();
  throw problem;
}

function parsed(text) {
  try {
    return text ? JSON.parse(text) : null;
  } catch {
    return null; // a proxy's page, not ours
  }
}

export const get = (path, query, signal) => request("GET", path, { query, signal });
export const post = (path, body) => request("POST", path, { body });
export const patch = (path, body) => request("PATCH", path, { body });
export const put = (path, body) => request("PUT", path, { body });
export const del = (path) => request("DELETE", path);

/**
 * Creates something: sent again, once, if the answer was lost, with the same Idempotency-Key, so
 * that it is done once.
 */
export async function create(path, body) {
  const key = globalThis.crypto.randomUUID?.(); // not on plain http elsewhere than localhost
  try {
    return await request("POST", path, { body, key });
  } catch (problem) {
    if (problem.code !== "offline" || !key) throw problem;
    return await request("POST", path, { body, key });
  }
}
