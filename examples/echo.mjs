// An agent for Node.js 20: takes every call and says back what it hears.
//
//     npm install --no-save ws
//     node examples/echo.mjs        (CHAMADE_API_URL and CHAMADE_API_KEY; with `make run` going: . .local/env)
//
// It learns of calls from the long poll of events (docs/events.md), accepts them over REST (docs/api.md), then
// hears and speaks on one WebSocket a call (docs/protocol.md; sections below are that page's). It notes its calls
// in the folder echo-calls: if it is killed and started again within ten seconds, it takes them back.

import { mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import WebSocket from "ws";

const { CHAMADE_API_URL, CHAMADE_API_KEY } = process.env;
if (!CHAMADE_API_URL || !CHAMADE_API_KEY) {
  console.error("CHAMADE_API_URL or CHAMADE_API_KEY is not set. With `make run` going: . .local/env");
  process.exit(2);
}

/** Send a request to the REST API, again and again while that may help. Throws what the API refuses. */
async function api(method, path) {
  for (let pause = 250; ; pause = Math.min(2 * pause, 10_000)) {
    let retryAfter, problem;
    try {
      const options = { method, headers: { "X-API-Key": CHAMADE_API_KEY }, signal: AbortSignal.timeout(35_000) };
      const answer = await fetch(CHAMADE_API_URL + path, options);
      if (answer.ok) return await answer.json();
      problem = await answer.json();
      retryAfter = answer.headers.get("Retry-After");
    } catch (error) {
      problem = { status: 503, title: error.cause?.message || error.message }; // no connection, or no JSON
    }
    const why = problem.detail ?? problem.title;
    if (problem.status < 500 && problem.status !== 429) throw Object.assign(new Error(why), { code: problem.code });
    console.error(`${method} ${path}: ${why} Trying again.`);
    await sleep(1000 * retryAfter || pause);
  }
}

/** Yield the calls that ring already, then each that begins to ring. A call may come twice. */
async function* incoming() {
  let { cursor } = await api("GET", "/api/events?after=latest"); // first, so that no call is missed
  const { calls } = await api("GET", "/api/calls?state=ringing&direction=inbound");
  console.log("waiting for calls");
  yield* calls.reverse();
  for (;;) {
    const page = await api("GET", `/api/events?wait=20&after=${encodeURIComponent(cursor)}`).catch((error) => {
      if (error.code !== "bad_cursor") throw error;
      return { events: [], cursor: "latest" }; // the events were restored from a backup: begin anew
    });
    for (const { type, data } of page.events) {
      if (type === "call.ringing" && data.call.direction === "inbound") yield data.call;
    }
    cursor = page.cursor;
  }
}

/** Echo on one connection until it ends. Returns its close code, or the HTTP status that refused it. */
function echo({ call_id, audio }, started) {
  return new Promise((ended) => {
    const headers = { Authorization: `Bearer ${audio.token}` };
    const socket = new WebSocket(audio.url, { headers, perMessageDeflate: false, handshakeTimeout: 5000 });
    let echoing = false;
    let watchdog;
    socket.on("message", (data, isBinary) => {
      watchdog?.refresh();
      if (isBinary) {
        if (echoing) socket.send(data); // samples and nothing else
        return;
      }
      const message = JSON.parse(data);
      if (message.type === "start") {
        started();
        // What the caller said before comes at once, now. An echo of it would delay all that follows.
        setTimeout(() => (echoing = true), 200);
        // From now on something comes every 20 ms: silence, too. Nothing means that the network is gone.
        watchdog = setTimeout(() => socket.terminate(), 5000);
      } else if (message.type === "dtmf") console.log(call_id, "key", message.digit);
      else if (message.type === "stop") console.log(call_id, "is over:", message.reason);
      else if (["dropped", "warning", "error"].includes(message.type)) console.error(call_id, String(data));
      // The call goes on after those three. Ignore other types: new ones may be added (section 11).
    });
    socket.on("unexpected-response", (_request, { statusCode }) => {
      ended(statusCode);
      socket.terminate();
    });
    socket.on("error", () => {}); // `close` follows
    socket.on("close", (code) => {
      clearTimeout(watchdog);
      ended(code);
    });
  });
}

const TRY_AGAIN = [1001, 1006, 1011, 1012, 1013, 429, 502, 503, 504]; // close codes and HTTP statuses, section 7
const PAUSES_MS = [0, 250, 500, 1000, 2000, 2000, 2000, 2000];

/** Stay on a call until it is over. Comes back after a connection breaks, for ten seconds, as section 7 says. */
async function talk(call) {
  for (let failures = 0; ; ) {
    const code = await echo(call, () => (failures = 0));
    if (code === 1000) return;
    // 4409, for example, is final: another agent has taken the call over (section 8).
    if (!TRY_AGAIN.includes(code) || failures === PAUSES_MS.length) throw new Error(`no audio any more: ${code}`);
    await sleep(PAUSES_MS[failures++]);
  }
}

const NOTES = new URL("echo-calls/", import.meta.url); // beside this file
const note = (callId) => new URL(`${callId}.${process.pid}`, NOTES);
const taken = new Set();

/** Take a call and stay until it is over. Throws nothing: other calls go on. */
async function take(callId, isAnswered) {
  if (taken.has(callId)) return;
  taken.add(callId);
  try {
    const call = await (isAnswered ? api("GET", `/api/call/${callId}`) : api("POST", `/api/call/${callId}/accept`));
    if (call.state !== "active") return;
    writeFileSync(note(callId), "");
    console.log(callId, "from", call.from);
    await talk(call);
  } catch (error) {
    console.error(callId, error.message); // the caller was gone, say, or another agent was faster
  } finally {
    rmSync(note(callId), { force: true });
    taken.delete(callId);
  }
}

/** Take back the calls of processes that are gone. Only notes tell: to join others would throw their agents out. */
function takeBack() {
  mkdirSync(NOTES, { recursive: true });
  for (const name of readdirSync(NOTES)) {
    const [callId, pid] = name.split(".");
    try {
      if (Number(pid) !== process.pid && process.kill(Number(pid), 0)) continue; // it lives: signal 0 only asks
    } catch (error) {
      if (error.code === "EPERM") continue; // it lives, and is another user's
    }
    try {
      renameSync(new URL(name, NOTES), note(callId));
      take(callId, true);
    } catch {} // another process was faster
  }
}

takeBack();
for await (const { call_id, auto_answer } of incoming()) take(call_id, auto_answer);
