// The agent's socket of the page: its token is in no URL, and a refused handshake is no endless loop.

import assert from "node:assert/strict";
import { test } from "node:test";

const TOKEN = "call_1.agent.4000000000.abc-_x";
const sockets = [];
let answered; // the call, as the API gives it now

class FakeSocket {
  static OPEN = 1;
  constructor(url, protocols) {
    Object.assign(this, { url, protocols, readyState: 0 });
    sockets.push(this);
  }
  close() {}
}

globalThis.WebSocket = FakeSocket;
globalThis.requestAnimationFrame = () => {};
globalThis.fetch = async () => new Response(JSON.stringify(answered), { headers: { Date: new Date().toUTCString() } });
const { AgentLeg } = await import("../../../dashboard/call/legs.js");

const call = (audio) => ({ call_id: "call_1", version: 1, state: "active", direction: "inbound", audio });
const audio = (token) => ({ url: "wss://relay.example/media/agent/call_1", token });
const settle = async () => {
  for (let n = 0; n < 50; n++) await new Promise((done) => setImmediate(done));
};

/** The last socket fails before it is open, and time goes by. */
async function refused() {
  const later = [];
  const real = globalThis.setTimeout;
  globalThis.setTimeout = (act) => later.push(act);
  sockets.at(-1).onclose({ code: 1006, reason: "" });
  globalThis.setTimeout = real;
  for (const act of later) act();
  await settle();
}

async function connected() {
  sockets.length = 0;
  answered = call(audio(TOKEN));
  const endings = [];
  const ignore = () => {};
  const leg = new AgentLeg("call_1", { status: ignore, ended: (text) => endings.push(text) });
  await leg.connect();
  return { leg, endings };
}

test("the token is offered as a subprotocol and stands in no URL", async () => {
  await connected();
  assert.deepEqual(sockets[0].protocols, ["chamade.v1", `chamade.token.${TOKEN}`]);
  assert.equal(sockets[0].url, "wss://relay.example/media/agent/call_1?format=pcm_s16le&rate=16000");
});

test("every offered subprotocol is one that browsers take", async () => {
  await connected();
  for (const name of sockets[0].protocols) assert.match(name, /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/);
});

test("after a handshake that was refused the call is asked for again, and its token", async () => {
  const { endings } = await connected();
  answered = call(audio("call_1.agent.4000000001.new"));
  await refused();
  assert.equal(sockets.length, 2);
  assert.deepEqual(sockets[1].protocols, ["chamade.v1", "chamade.token.call_1.agent.4000000001.new"]);
  answered = call(null);
  await refused();
  assert.equal(sockets.length, 2);
  assert.deepEqual(endings, ["The call is over."]);
});

test("refusals without end are given up", async () => {
  const { endings } = await connected();
  for (let n = 0; n < 20 && !endings.length; n++) await refused();
  assert.equal(endings.length, 1);
  assert.ok(sockets.length < 12);
});
