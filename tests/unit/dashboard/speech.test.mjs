// What is said in a call: entries of the server, in its order, and before them what is known of texts that wait.

import assert from "node:assert/strict";
import { test } from "node:test";
import { INTERRUPTIONS, Speech, clockText, isHosted } from "../../../dashboard/api/speech.js";

const api = JSON.parse(process.env.API_WORDS ?? "{}");

const entry = (sequence, speaker, text, more = {}) => ({
  sequence,
  speaker,
  text,
  started_ms: 1000 * sequence,
  ...more,
});

/** Make a transcript of a server that has these pages, and the places that were asked for. */
function speechOf(...pages) {
  const asked = [];
  const speech = new Speech(async (after) => {
    asked.push(after);
    const entries = pages.shift() ?? [];
    return { entries, next: entries.at(-1)?.sequence ?? after };
  });
  return { speech, asked };
}

const texts = (speech) => speech.lines().map(({ speaker, text, note }) => [speaker, text, note].filter(Boolean));

test("a transcript is read to its end, and from there on later", async () => {
  const { speech, asked } = speechOf([entry(1, "agent", "Hello.")], [entry(2, "caller", "Hi.")]);
  await speech.refresh();
  assert.deepEqual(texts(speech), [
    ["agent", "Hello."],
    ["caller", "Hi."],
  ]);
  await speech.refresh();
  assert.deepEqual(asked, [0, 1, 2, 2]);
});

test("news while it is read are read after that, by one request at a time", async () => {
  let atOnce = 0;
  let most = 0;
  const pages = [[entry(1, "caller", "One.")], [], [entry(2, "caller", "Two.")], []];
  const speech = new Speech(async (after) => {
    most = Math.max(most, ++atOnce);
    await null;
    atOnce -= 1;
    const entries = pages.shift() ?? [];
    return { entries, next: entries.at(-1)?.sequence ?? after };
  });
  await Promise.all([speech.refresh(), speech.refresh(), speech.refresh()]);
  await speech.refresh();
  assert.equal(most, 1);
  assert.deepEqual(texts(speech).flat(), ["caller", "One.", "caller", "Two."]);
});

test("a text waits, is spoken, and becomes what was heard of it", async () => {
  const heard = entry(5, "agent", "Good mor", { utterance_id: "utt_1", interrupted: true });
  const { speech } = speechOf([heard]);
  speech.given("Good morning.", { utterance_id: "utt_1", state: "queued" });
  assert.deepEqual(texts(speech), [["agent", "Good morning.", "waits"]]);
  assert.equal(speech.take({ type: "call.speech", data: { utterance_id: "utt_1", state: "started" } }), false);
  assert.deepEqual(texts(speech), [["agent", "Good morning.", "is spoken"]]);
  const cut = { utterance_id: "utt_1", state: "interrupted", why: "barge_in" };
  assert.equal(speech.take({ type: "call.speech", data: cut }), true);
  assert.deepEqual(texts(speech), [["agent", "Good morning.", "not heard: the caller spoke"]]);
  await speech.refresh();
  assert.deepEqual(texts(speech), [["agent", "Good mor", "cut short"]]);
});

test("an answer that comes after its text was heard shows it once", async () => {
  const { speech } = speechOf([entry(5, "agent", "Hello.", { utterance_id: "utt_1" })]);
  await speech.refresh();
  speech.given("Hello.", { utterance_id: "utt_1", state: "queued" });
  assert.deepEqual(texts(speech), [["agent", "Hello."]]);
});

test("an event that comes before the answer to its request is not undone by it", () => {
  const { speech } = speechOf();
  speech.take({ type: "call.speech", data: { utterance_id: "utt_1", state: "started" } });
  assert.deepEqual(texts(speech), [["agent", "…", "is spoken"]]);
  speech.given("Hello.", { utterance_id: "utt_1", state: "queued" });
  assert.deepEqual(texts(speech), [["agent", "Hello.", "is spoken"]]);
});

test("half a sentence is shown until its end is known", () => {
  const { speech } = speechOf();
  assert.equal(speech.take({ type: "call.transcript", data: { text: "I would", final: false } }), false);
  assert.equal(speech.partial, "I would");
  assert.equal(speech.take({ type: "call.transcript", data: { text: "I would like", final: true } }), true);
  assert.equal(speech.partial, "");
});

test("a refused request leaves what there is, and the next one reads on", async () => {
  let refused = true;
  const speech = new Speech(async (after) => {
    if (refused) throw new Error("offline");
    return { entries: after ? [] : [entry(1, "caller", "Hi.")], next: 1 };
  });
  await assert.rejects(speech.refresh(), /offline/);
  refused = false;
  await speech.refresh();
  assert.deepEqual(texts(speech), [["caller", "Hi."]]);
});

test("a transcript of a very long call shows its last lines", async () => {
  const page = (first) => Array.from({ length: 100 }, (_, n) => entry(first + n, "caller", `${first + n}`));
  const { speech } = speechOf(...Array.from({ length: 8 }, (_, n) => page(1 + 100 * n)));
  await speech.refresh();
  assert.equal(speech.lines().length, 500);
  assert.equal(speech.lines().at(-1).text, "800");
});

test("a deleted transcript is empty, and goes on", async () => {
  const { speech } = speechOf([entry(1, "caller", "Hi.")], [], [entry(2, "caller", "Still here?")]);
  await speech.refresh();
  speech.forget();
  assert.deepEqual(texts(speech), []);
  await speech.refresh();
  assert.deepEqual(texts(speech), [["caller", "Still here?"]]);
});

test("there are words for each reason why a text is not heard", { skip: !api.interruptions }, () =>
  assert.deepEqual(Object.keys(INTERRUPTIONS).sort(), api.interruptions),
);

test("times since the answer, and calls with a hosted voice", () => {
  assert.equal(clockText(65_900), "1:05");
  assert.equal(isHosted({ voice: "hosted" }), true);
  assert.equal(isHosted({}), false);
});
