// An agent for Node.js 20: takes every call and says back what it hears.
//
//     npm install --no-save ws
//     node examples/echo.mjs        (CHAMADE_API_URL and CHAMADE_API_KEY; with `make run` going: . .local/env)
//
// It learns of calls from the long poll of events (docs/events.md), accepts them over REST (docs/api.md), then
// hears and speaks on one WebSocket a call (docs/protocol.md; sections below are that page's). If it is killed and
// started again within ten seconds, it takes its calls back; calls of other agents it leaves to them.

import { setTimeout as sleep } from "node:timers/promises";
import WebSocket from "ws";

const { CHAMADE_API_URL, CHAMADE_API_KEY } = process.env;
if (!CHAMADE_API_URL || !CHAMADE_API_KEY) {
  console.error("CHAMADE_API_URL or CHAMADE_API_KEY is not set. With `make run` going: . .local/env");
  process.exit(2);
}

/** Send a request to the REST API, again and again while that may help. Throws what the API refuses. */
async function api(method, path) {
  for (let pause = 250, repeated = false; ; pause = Math.min(2 * pause, 10_000), repeated = true) {
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
    const { status, code, detail, title } = problem;
    const why = detail ?? title;
    if (status < 500 && status !== 429) throw Object.assign(new Error(why), { status, code, repeated });
    console.error(`${method} ${path}: ${why} Trying again.`);
    await sleep(1000 * retryAfter || pause);
  }
}

/** Yield the calls that ring or are answered already, then each that begins to ring. A call may come twice. */
async function* incoming() {
  let { cursor } = await api("GET", "/api/events?after=latest"); // first, so that no call is missed
  console.log("waiting for calls");
  for (const state of ["ringing", "active"]) {
    const { calls } = await api("GET", `/api/calls?state=${state}&direction=inbound`);
    yield* calls.reverse();
  }
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
function echo({ call_id, audio }, ifFree, started) {
  return new Promise((ended) => {
    const headers = { Authorization: `Bearer ${audio.token}` };
    const url = audio.url + (ifFree ? "?if_free=1" : "");
    const socket = new WebSocket(url, { headers, perMessageDeflate: false, handshakeTimeout: 5000 });
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
async function talk(call, ifFree) {
  for (let failures = 0; ; ) {
    const code = await echo(call, ifFree, () => {
      console.log(call.call_id, "from", call.from);
      failures = 0;
      ifFree = false; // it is ours by now; the relay may not know yet that our own connection is broken
    });
    if (code === 1000) return;
    if (code === 4411) return console.log(call.call_id, "has another agent");
    // 4409, for example, is final: another agent has taken the call over (section 8).
    if (!TRY_AGAIN.includes(code) || failures === PAUSES_MS.length) throw new Error(`no audio any more: ${code}`);
    await sleep(PAUSES_MS[failures++]);
  }
}

/** Accept a call. Returns whether this program did, as far as it knows. */
async function accept(callId) {
  try {
    await api("POST", `/api/call/${callId}/accept`);
    return true;
  } catch (error) {
    // Of a repeated accept, the first may have got through and only its answer was lost.
    if (error.status !== 409 || !error.repeated) throw error;
    return false;
  }
}

const taken = new Set();

/** Take a call and stay until it is over. Throws nothing: other calls go on. */
async function take({ call_id, state, auto_answer }) {
  if (taken.has(call_id)) return;
  taken.add(call_id);
  try {
    const accepted = state === "ringing" && !auto_answer && (await accept(call_id));
    const call = await api("GET", `/api/call/${call_id}`);
    if (!call.audio) throw new Error(`is over: ${call.end_reason}`);
    await talk(call, !accepted); // what it has not accepted itself it must not take from another agent
  } catch (error) {
    console.error(call_id, error.message); // the caller was gone, say, or another agent was faster
  } finally {
    taken.delete(call_id);
  }
}

for await (const call of incoming()) take(call);
