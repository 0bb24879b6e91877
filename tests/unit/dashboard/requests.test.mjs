// What a view reads again never undoes on the screen what the page has just written.

import assert from "node:assert/strict";
import { test } from "node:test";

const requests = [];
globalThis.fetch = (url, { method }) =>
  new Promise((resolve, reject) => {
    const answer = (content) => resolve(new Response(JSON.stringify(content), { headers: {} }));
    requests.push({ method, answer, fail: () => reject(new TypeError("network")) });
  });
const { getAgain, patch } = await import("../../../dashboard/api/requests.js");

const settle = async () => {
  for (let n = 0; n < 20; n++) await new Promise((done) => setImmediate(done));
};
const methods = () => requests.map(({ method }) => method);

test("an answer to a request before a write is not taken", async () => {
  requests.length = 0;
  const reading = getAgain("numbers");
  await settle();
  const writing = patch("number/+15555500100", { auto_answer: true });
  await settle();
  requests[0].answer({ auto_answer: false });
  await settle();
  assert.deepEqual(methods(), ["GET", "PATCH"]);
  requests[1].answer({ auto_answer: true });
  await writing;
  await settle();
  requests[2].answer({ auto_answer: true });
  assert.deepEqual(await reading, { auto_answer: true });
  assert.deepEqual(methods(), ["GET", "PATCH", "GET"]);
});

test("a read waits for a write that is under way", async () => {
  requests.length = 0;
  const writing = patch("number/+15555500100", { auto_answer: true });
  const reading = getAgain("numbers");
  await settle();
  assert.deepEqual(methods(), ["PATCH"]);
  requests[0].fail();
  await assert.rejects(writing, { code: "offline" });
  await settle();
  requests[1].answer({ auto_answer: false });
  assert.deepEqual(await reading, { auto_answer: false });
});

test("with no write about, one read is enough", async () => {
  requests.length = 0;
  const reading = getAgain("numbers");
  await settle();
  requests[0].answer({ auto_answer: true });
  assert.deepEqual(await reading, { auto_answer: true });
  assert.equal(requests.length, 1);
});
