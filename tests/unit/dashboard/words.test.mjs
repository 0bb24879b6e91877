// Whatever a call or trunk comes to, the page has words for it. Which words there are in the API is
// handed in by the Python test, so that a new one cannot be forgotten here.

import assert from "node:assert/strict";
import { test } from "node:test";
import { DELIVERY_STATES, REASONS, STATES, TRUNK_STATES, caller, ending, sipCode } from "../../../dashboard/words.js";

const api = JSON.parse(process.env.API_WORDS ?? "{}");
const call = (fields) => ({
  direction: "inbound",
  from: "+33612345678",
  to: "+15555500103",
  state: "ended",
  end_reason: null,
  ...fields,
});

for (const [name, table] of Object.entries({
  states: STATES,
  reasons: REASONS,
  trunk: TRUNK_STATES,
  deliveries: DELIVERY_STATES,
})) {
  test(`the ${name} of the API are those of the page`, { skip: !api[name] }, () =>
    assert.deepEqual(Object.keys(table).sort(), api[name]),
  );
}

test("every reason says what happened", () => {
  for (const reason of Object.keys(REASONS)) assert.match(ending(call({ end_reason: reason }))[0], /\.$/);
});

test("a reason that is newer than the page is shown as it is", () => {
  assert.match(ending(call({ end_reason: "meteor" }))[0], /meteor/);
});

test("who declined depends on who called", () => {
  assert.match(ending(call({ end_reason: "declined" }))[0], /Your side/);
  assert.match(ending(call({ end_reason: "declined", direction: "outbound" }))[1], /an hour/);
});

test("every SIP code has a name and a remedy, unknown ones by their class", () => {
  for (const code of [401, 404, 486, 503, 603]) assert.ok(sipCode(code).every(Boolean), `${code}`);
  assert.equal(sipCode(499)[0], "Refused");
  assert.equal(sipCode(699)[0], "Refused everywhere");
});

test("a browser that calls is named as one", () => {
  assert.equal(caller(call({ from: "client:dashboard" })), "Test call from the browser");
});
