// A conversation from its start to its end, without a browser: leg and sound are the test's own.

import assert from "node:assert/strict";
import { afterEach, test } from "node:test";

globalThis.requestAnimationFrame = () => {};
const { mergeCalls, stopFeed } = await import("../../../dashboard/api/feed.js");
const { Conversation, conversationOfAgent, endConversations } = await import("../../../dashboard/call/conversation.js");

class FakeLeg {
  format = "mulaw";
  rate = 8000;
  callId = "call_1";
  calls = [];
  constructor(listener) {
    this.listener = listener;
  }
  async connect() {
    this.calls.push("connect");
    if (this.failure) throw this.failure;
  }
  send = (frame) => this.calls.push(["send", frame]);
  sendDigit = (digit) => this.calls.push(["digit", digit]);
  hangUp = () => this.calls.push("hang up");
}

class FakeSound {
  listeningOnly = "";
  calls = [];
  constructor(options) {
    this.options = options;
  }
  async open() {
    this.calls.push("open");
    await this.opening;
    if (this.failure) throw this.failure;
  }
  play = (frame) => this.calls.push(["play", frame]);
  mute = (muted) => this.calls.push(["mute", muted]);
  close = () => this.calls.push("close");
}

/** A conversation that has not begun, its leg and sound, and the states that it has told of. */
function made() {
  const states = [];
  const levels = [];
  const onChange = () => states.push(conversation.state);
  const conversation = new Conversation(
    (listener) => new FakeLeg(listener),
    { onChange, onLevels: (each) => levels.push(each) },
    (options) => new FakeSound(options),
  );
  const { leg, sound } = conversation;
  return { conversation, leg, sound, listener: leg.listener, states, levels };
}

afterEach(() => {
  endConversations();
  stopFeed();
});

test("a test call rings, is answered and ends", async () => {
  const { conversation, leg, sound, listener, states } = made();
  await conversation.start();
  assert.deepEqual([sound.calls, leg.calls], [["open"], ["connect"]]);
  listener.ringing("CA1");
  assert.match(conversation.status, /^Ringing/);
  listener.connected();
  assert.ok(Date.parse(conversation.connectedAt) <= Date.now());
  listener.ended("The caller hung up.");
  assert.deepEqual(states, ["connecting", "ringing", "connected", "ended"]);
  assert.equal(conversation.status, "The caller hung up.");
  assert.equal(conversation.problem, null);
  assert.equal(sound.calls.at(-1), "close");
});

test("sound goes both ways, in the leg's format", async () => {
  const { conversation, leg, sound, listener, levels } = made();
  await conversation.start();
  listener.audio("theirs");
  sound.options.onFrame("ours");
  sound.options.onLevels({ mic: 0.5 });
  assert.deepEqual(sound.calls.at(-1), ["play", "theirs"]);
  assert.deepEqual(leg.calls.at(-1), ["send", "ours"]);
  assert.deepEqual(levels, [{ mic: 0.5 }]);
  assert.deepEqual([sound.options.format, sound.options.rate], ["mulaw", 8000]);
});

test("a connection that broke and came back counts from its first moment", async () => {
  const { conversation, listener, states } = made();
  await conversation.start();
  listener.connected();
  const { connectedAt } = conversation;
  await new Promise((resolve) => setTimeout(resolve, 5));
  listener.status("The connection broke; connecting again…");
  assert.equal(conversation.state, "connecting");
  listener.connected();
  assert.equal(conversation.connectedAt, connectedAt);
  assert.deepEqual(states, ["connecting", "connected", "connecting", "connected"]);
});

test("without a microphone one listens, and is told why", async () => {
  const { conversation, leg, sound } = made();
  sound.listeningOnly = "The microphone is blocked.";
  await conversation.start();
  assert.equal(conversation.listeningOnly, "The microphone is blocked.");
  assert.deepEqual(leg.calls, ["connect"]);
});

test("who hangs up while the browser asks for the microphone calls nobody", async () => {
  const { conversation, leg, sound, states } = made();
  let allow;
  sound.opening = new Promise((resolve) => (allow = resolve));
  const starting = conversation.start();
  conversation.hangUp();
  allow();
  await starting;
  assert.deepEqual(leg.calls, ["hang up"]);
  assert.deepEqual(states, ["ended"]);
  assert.equal(conversation.status, "You hung up.");
});

for (const part of ["sound", "leg"]) {
  test(`a ${part} that fails ends it, with the problem`, async () => {
    const parts = made();
    parts[part].failure = new Error("no");
    await parts.conversation.start();
    assert.equal(parts.conversation.state, "ended");
    assert.equal(parts.conversation.problem, parts[part].failure);
    assert.equal(parts.sound.calls.at(-1), "close");
  });
}

test("what comes after the end changes nothing", async () => {
  const { conversation, listener, states } = made();
  await conversation.start();
  conversation.hangUp();
  const count = states.length;
  listener.status("The connection broke; connecting again…");
  listener.connected();
  listener.digit("1");
  listener.ended("The connection to the gateway is closed.");
  assert.equal(states.length, count);
  assert.deepEqual([conversation.state, conversation.status, conversation.digits], ["ended", "You hung up.", ""]);
});

test("keys are heard in order, and sent", async () => {
  const { conversation, leg, listener } = made();
  await conversation.start();
  for (const digit of "42#") listener.digit(digit);
  conversation.sendDigit("5");
  assert.equal(conversation.digits, "42#");
  assert.deepEqual(leg.calls.at(-1), ["digit", "5"]);
});

test("mute is on, then off", async () => {
  const { conversation, sound } = made();
  await conversation.start();
  conversation.toggleMute();
  assert.equal(conversation.muted, true);
  conversation.toggleMute();
  assert.equal(conversation.muted, false);
  assert.deepEqual(sound.calls.slice(1), [
    ["mute", true],
    ["mute", false],
  ]);
});

test("a test call finds its call when the feed has it", async () => {
  const { conversation, listener } = made();
  await conversation.start();
  mergeCalls([{ call_id: "call_0", version: 1, provider_call_id: null }]);
  assert.equal(conversation.calledCall(), undefined);
  listener.ringing("CA1");
  assert.equal(conversation.calledCall(), undefined);
  mergeCalls([{ call_id: "call_1", version: 1, provider_call_id: "CA1" }]);
  assert.equal(conversation.calledCall().call_id, "call_1");
});

test("a tab knows when it is both ends", async () => {
  const [one, other] = [made(), made()];
  await Promise.all([one.conversation.start(), other.conversation.start()]);
  one.listener.connected();
  assert.equal(one.conversation.othersConnected(), false);
  other.listener.connected();
  assert.equal(other.conversation.othersConnected(), true);
  one.conversation.hangUp();
  assert.equal(other.conversation.othersConnected(), false);
});

test("a conversation is found by its call while it runs, and all end at once", async () => {
  const [one, other] = [made(), made()];
  other.leg.callId = "call_2";
  await Promise.all([one.conversation.start(), other.conversation.start()]);
  assert.equal(conversationOfAgent("call_2"), other.conversation);
  endConversations();
  assert.deepEqual(
    [one, other].map(({ conversation }) => conversation.state),
    ["ended", "ended"],
  );
  assert.equal(conversationOfAgent("call_2"), undefined);
});
