// Whatever a call or trunk comes to, the page has words for it. Which words there are in the API is
// handed in by the Python test, so that a new one cannot be forgotten here.

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  DELIVERY_STATES,
  END_REASONS,
  CALL_STATES,
  TRUNK_STATES,
  callerName,
  explainEnding,
} from "../../../dashboard/api/labels.js";
import { explainSipCode } from "../../../dashboard/api/sipcodes.js";

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
  states: CALL_STATES,
  reasons: END_REASONS,
  trunk: TRUNK_STATES,
  deliveries: DELIVERY_STATES,
})) {
  test(`the ${name} of the API are those of the page`, { skip: !api[name] }, () =>
    assert.deepEqual(Object.keys(table).sort(), api[name]),
  );
}

test("every reason says what happened", () => {
  for (const reason of Object.keys(END_REASONS)) assert.match(explainEnding(call({ end_reason: reason }))[0], /\.$/);
});

test("a reason that is newer than the page is shown as it is", () => {
  assert.match(explainEnding(call({ end_reason: "meteor" }))[0], /meteor/);
});

test("who declined depends on who called", () => {
  assert.match(explainEnding(call({ end_reason: "declined" }))[0], /Your side/);
  assert.match(explainEnding(call({ end_reason: "declined", direction: "outbound" }))[1], /an hour/);
});

test("every SIP code has a name and a remedy, unknown ones by their class", () => {
  for (const code of [401, 404, 486, 503, 603]) assert.ok(explainSipCode(code).every(Boolean), `${code}`);
  assert.equal(explainSipCode(499)[0], "Refused");
  assert.equal(explainSipCode(699)[0], "Refused everywhere");
});

test("a browser that calls is named as one", () => {
  assert.equal(callerName(call({ from: "client:dashboard" })), "Test call from the browser");
});
