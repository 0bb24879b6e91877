// Whatever a call or trunk comes to, the page has words for it. Which words there are in the API is
// handed in by the Python test, so that a new one cannot be forgotten here.

import assert from "node:assert/strict";
import { test } from "node:test";
import { DELIVERY_STATES } from "../../../dashboard/api/deliveries.js";
import { END_REASONS, CALL_STATES, callerName, explainEnding, explainTestCall } from "../../../dashboard/api/labels.js";
import { explainSipCode } from "../../../dashboard/api/sipcodes.js";
import { TRUNK_STATES } from "../../../dashboard/api/trunks.js";

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

test("why an agent was not reached is told in place of the usual remedy, also while the call lasts", () => {
  const detail = "The agent at agent_url was not reached: the connection was refused. Check that it runs.";
  const [explanation, remedy] = explainEnding(call({ end_reason: "no_agent", agent_detail: detail }));
  assert.match(explanation, /no agent came/);
  assert.equal(remedy, detail);
  assert.deepEqual(explainEnding(call({ state: "active", agent_detail: detail })), ["", detail]);
  assert.match(explainEnding(call({ end_reason: "no_agent", agent_detail: null }))[1], /audio URL/);
});

test("a test call's end is told in a sentence without codes, whatever the gateway says", () => {
  const ending = (status, code, reason = "hung up over REST") =>
    explainTestCall({ status, sip_code: code, reason }, false);
  const hungUp = { status: "completed", sip_code: 200, reason: "hung up by the party" };
  assert.equal(explainTestCall(hungUp, true), "You hung up.");
  assert.equal(ending("completed", 200), "The agent's side ended the call.");
  assert.match(ending("completed", 200, "time limit"), /longest/);
  assert.match(ending("no-answer", 480), /^Nobody answered/);
  assert.match(ending("no-answer", 404), /not one of yours/);
  assert.equal(ending("reinvented", 299), "The call is over.");
  for (const status of ["completed", "busy", "no-answer", "canceled", "failed"])
    assert.doesNotMatch(ending(status, 500), /REST|SIP|\d|[(]/);
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
