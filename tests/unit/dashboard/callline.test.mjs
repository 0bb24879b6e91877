// The words for hold, transfer and recordings, and what can be done to a call's line and recording at which moment.

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  EVENTS,
  explainTransfer,
  HOLDS,
  lineVerbs,
  momentOf,
  RECORDING_FAILURES,
  RECORDING_STATES,
  recordingVerbs,
  TRANSFER_MODES,
  TRANSFER_STATES,
  transferFailure,
} from "../../../dashboard/api/callline.js";

const api = JSON.parse(process.env.API_WORDS ?? "{}");
const active = (fields) => ({ state: "active", ...fields });
const transfer = (state, mode = "cold", more = {}) => ({ state, mode, to: "+33199001234", ...more });

for (const [name, table] of Object.entries({
  events: EVENTS,
  holds: HOLDS,
  transfers: TRANSFER_STATES,
  transferModes: TRANSFER_MODES,
  recordings: RECORDING_STATES,
  recordingFailures: RECORDING_FAILURES,
})) {
  test(`the ${name} of the API are those of the page`, { skip: !api[name] }, () =>
    assert.deepEqual(Object.keys(table).sort(), api[name]),
  );
}

test("a call is held, resumed and transferred while it is active only", () => {
  assert.deepEqual(lineVerbs(active()), ["hold", "transfer"]);
  assert.deepEqual(lineVerbs(active({ hold: "agent" })), ["resume", "transfer"]);
  for (const state of ["connecting", "ringing", "ended", "failed", "missed", "declined"])
    assert.deepEqual(lineVerbs({ state }), []);
});

test("a call that the other party holds can be held by us, too, and cannot be resumed by us", () => {
  assert.deepEqual(lineVerbs(active({ hold: "far_end" })), ["hold", "transfer"]);
});

test("a transfer under way is given up, and completed once the third party has answered", () => {
  const verbs = (...of) => lineVerbs(active({ hold: "transfer", transfer: transfer(...of) }));
  assert.deepEqual(verbs("dialling"), ["cancel"]);
  assert.deepEqual(verbs("ringing", "warm"), ["cancel"]);
  assert.deepEqual(verbs("consulting", "warm"), ["complete", "cancel"]);
});

test("after a transfer that failed there may be another, after one that is completed there is nothing to do", () => {
  assert.deepEqual(lineVerbs(active({ transfer: transfer("failed") })), ["hold", "transfer"]);
  assert.deepEqual(lineVerbs(active({ transfer: transfer("cancelled") })), ["hold", "transfer"]);
  assert.deepEqual(lineVerbs(active({ transfer: transfer("completed") })), []);
});

test("the third party's call is held, but not transferred, and neither once it is joined", () => {
  const leg = active({ kind: "transfer_leg" });
  assert.deepEqual(lineVerbs(leg, { transfer: transfer("consulting", "warm") }), ["hold"]);
  assert.deepEqual(lineVerbs(leg, { transfer: transfer("completed") }), []);
});

test("a recording is begun, paused, resumed and ended as it stands", () => {
  assert.deepEqual(recordingVerbs(active()), ["start"]);
  assert.deepEqual(recordingVerbs(active({ recording: { state: "on" } })), ["pause", "stop"]);
  assert.deepEqual(recordingVerbs(active({ recording: { state: "paused" } })), ["resume", "stop"]);
  assert.deepEqual(recordingVerbs({ state: "ringing" }), []);
});

test("each state and mode of a transfer is told in a sentence", () => {
  for (const state of Object.keys(TRANSFER_STATES))
    for (const mode of Object.keys(TRANSFER_MODES))
      assert.match(explainTransfer(transfer(state, mode, { why: "busy" })), /\.$/, `${state}, ${mode}`);
});

test("why a transfer failed is told as the end of the third party's call, and a newer reason as it is", () => {
  assert.match(transferFailure({ why: "busy" }), /busy\.$/);
  assert.match(transferFailure({ why: "call_over" }), /ended first/);
  assert.match(transferFailure({ why: "meteor" }), /meteor/);
});

test("the timeline tells of holds, transfers and recordings in words, and not twice of states", () => {
  const moment = (type, data = {}) => momentOf({ type, data });
  assert.deepEqual(moment("call.held", { by: "far_end" }), ["warn", "On hold", "by the other party"]);
  assert.deepEqual(moment("call.dtmf", { digits: "12" }).slice(0, 2), ["busy", "Keys 12"]);
  assert.match(moment("call.transfer.failed", { why: "no_answer" })[2], /did not answer/);
  assert.match(moment("call.recording.failed", { why: "no_audio" })[2], /No audio/);
  assert.equal(moment("call.quality", { quality: "good" })[0], "good");
  for (const type of ["call.ringing", "call.answered", "call.ended", "call.transcript"])
    assert.equal(moment(type), null);
});
