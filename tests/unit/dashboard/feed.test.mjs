// The page's long poll, without a page: it rests while nobody looks, and keeps the newest of each call.

import assert from "node:assert/strict";
import { afterEach, test } from "node:test";

globalThis.requestAnimationFrame = (draw) => setImmediate(draw);
globalThis.addEventListener = () => {}; // for `online`
const polls = [];
globalThis.fetch = (url, { signal }) =>
  new Promise((resolve, reject) => {
    const answer = (content, init) => resolve(new Response(JSON.stringify(content), init));
    signal.addEventListener("abort", () => reject(signal.reason));
    polls.push({ query: Object.fromEntries(url.searchParams), answer });
  });
const { calls, feedStatus, mergeCalls, onCalls, onEvents, recentEvents, startFeed, stopFeed } =
  await import("../../../dashboard/api/feed.js");

class FakePage extends EventTarget {
  hidden = false;
  show(visible) {
    this.hidden = !visible;
    this.dispatchEvent(new Event("visibilitychange"));
  }
}

const settle = async () => {
  for (let n = 0; n < 20; n++) await new Promise((resolve) => setImmediate(resolve));
};
const call = (version, more = {}) => ({ call_id: "call_1", version, ...more });
const event = (id, of) => ({ event_id: id, type: "call.ringing", data: { call: of } });

async function started() {
  polls.length = 0;
  const page = new FakePage();
  startFeed(page);
  await settle();
  return page;
}

afterEach(stopFeed);

test("events are asked for from where the last answer ended, and told once", async () => {
  const batches = [];
  const listening = new AbortController();
  onEvents((events) => batches.push(events.map((each) => each.event_id)), listening.signal);
  await started();
  assert.deepEqual(polls[0].query, { after: "recent", wait: "0", limit: "100" });
  polls[0].answer({ cursor: "7", events: [event("e1", call(1)), event("e2", call(2))] });
  await settle();
  assert.equal(feedStatus(), "live");
  assert.deepEqual(polls[1].query, { after: "7", wait: "20", limit: "100" });
  polls[1].answer({ cursor: "8", events: [event("e2", call(2)), event("e3", call(3))] });
  await settle();
  listening.abort();
  assert.deepEqual(batches, [["e1", "e2"], ["e3"]]);
  assert.deepEqual(
    recentEvents.map((each) => each.event_id),
    ["e1", "e2", "e3"],
  );
  assert.equal(calls.get("call_1").version, 3);
});

test("nothing is asked while the page is hidden, and at once when it is seen again", async () => {
  const page = await started();
  polls[0].answer({ cursor: "7", events: [] });
  await settle();
  page.show(false);
  await settle();
  assert.equal(feedStatus(), "paused");
  assert.equal(polls.length, 2);
  page.show(true);
  await settle();
  assert.equal(polls.length, 3);
  assert.equal(polls[2].query.after, "7");
});

test("a cursor that is too old is let go", async () => {
  const real = globalThis.setTimeout;
  globalThis.setTimeout = (act) => setImmediate(act);
  try {
    await started();
    polls[0].answer({ code: "bad_cursor" }, { status: 400 });
    await settle();
    assert.equal(feedStatus(), "offline");
    assert.deepEqual(polls[1].query, { after: "latest", wait: "0", limit: "100" });
  } finally {
    globalThis.setTimeout = real;
  }
});

test("who is signed out is not asked for again", async () => {
  await started();
  polls[0].answer({ code: "bad_key" }, { status: 401 });
  await settle();
  assert.equal(polls.length, 1);
});

test("an older version of a call, or the same without its audio, is not taken", async () => {
  const changes = [];
  const listening = new AbortController();
  onCalls((ids) => changes.push([...ids]), listening.signal);
  mergeCalls([call(2, { audio: null })]);
  mergeCalls([call(1, { audio: null }), call(2)]);
  assert.ok("audio" in calls.get("call_1"));
  mergeCalls([call(2, { audio: { url: "wss://relay.example" } })]);
  assert.ok(calls.get("call_1").audio);
  await settle();
  listening.abort();
  assert.deepEqual(changes, [["call_1"]]); // once a frame
});

test("who signs in next sees nothing of this account", () => {
  mergeCalls([call(1)]);
  stopFeed();
  assert.deepEqual([calls.size, recentEvents.length], [0, 0]);
});
