// Settings of a trunk between form and API, the name of one more trunk, and which trunk a call goes through.

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  addressOf,
  callerIdsOf,
  canDial,
  freeName,
  settingsOf,
  trunkOfNumber,
  trunkState,
  valuesOf,
} from "../../../dashboard/api/trunks.js";

const trunk = (fields) => ({ name: "main", host: "sip.carrier.example", caller_id: null, dids: [], ...fields });
const did = (e164, called_at = null) => ({ e164, called_at });

test("what has its default, or is empty, is not sent", () => {
  const values = { ...valuesOf({ host: "sip.carrier.example" }), username: "acct42", password: "" };
  assert.deepEqual(settingsOf(values), { host: "sip.carrier.example", username: "acct42" });
});

test("each setting is sent in the form that the API takes", () => {
  const values = valuesOf({});
  Object.assign(values, {
    port: "5080",
    networks: "198.51.100.0/24, 203.0.113.7",
    user_phone: "yes",
    fallback: "b c",
  });
  Object.assign(values, { allowed_countries: "FR; de", dial_prefix: "0", auth: "both" });
  assert.deepEqual(settingsOf(values), {
    port: 5080,
    networks: ["198.51.100.0/24", "203.0.113.7"],
    user_phone: true,
    fallback: ["b", "c"],
    allowed_countries: ["FR", "de"],
    dial_prefix: "0",
    auth: "both",
  });
});

test("a port that is no number is sent as it is, so that the server says what is wrong", () => {
  assert.equal(settingsOf({ port: "sip" }).port, "sip");
});

test("settings come back from a form as they went in", () => {
  const settings = {
    host: "sip.carrier.example",
    transport: "tls",
    srtp: "required",
    port: 5061,
    user_phone: true,
    networks: ["2001:db8::/48"],
    fallback: ["spare"],
    number_format: "00",
  };
  assert.deepEqual(settingsOf(valuesOf(settings)), settings);
});

test("SRTP follows the transport unless it is chosen", () => {
  assert.equal(valuesOf({ transport: "tls", srtp: "offered" }).srtp, "usual");
  assert.equal(valuesOf({ transport: "udp", srtp: "off" }).srtp, "usual");
  assert.equal(valuesOf({ transport: "tls", srtp: "off" }).srtp, "off");
});

test("the first trunk is main, others are named after their preset, and no name is proposed twice", () => {
  assert.equal(freeName([], "ovh"), "main");
  assert.equal(freeName([trunk()], "ovh"), "ovh");
  assert.equal(freeName([trunk(), trunk({ name: "ovh" })], "ovh"), "ovh-2");
  assert.equal(freeName([trunk({ name: "ovh" })]), "trunk");
});

test("a call may show the trunk's caller ID, and its numbers that have been called", () => {
  const one = trunk({ caller_id: "+33199005678", dids: [did("+33199000001"), did("+33199000002", "2026-01-01")] });
  assert.deepEqual(callerIdsOf(one), ["+33199005678", "+33199000002"]);
});

test("a call goes through the first trunk that has its number, or else through the first", () => {
  const trunks = [trunk({ caller_id: "+33199005678" }), trunk({ name: "spare", caller_id: "+4930123456" })];
  assert.equal(trunkOfNumber(trunks, "+4930123456").name, "spare");
  assert.equal(trunkOfNumber(trunks, "").name, "main");
});

test("a trunk that answers without registering may be dialled through", () => {
  assert.deepEqual(
    ["registered", "ready", "unregistered", "registering", "failed"].map((status) => canDial({ status })),
    [true, true, true, false, false],
  );
  assert.deepEqual(trunkState({ status: "failed", auth: "ip" }), ["bad", "Not reachable"]);
  assert.deepEqual(trunkState({ status: "failed", auth: "register" }), ["bad", "Not registered"]);
});

test("an address is written with its port if it has one, and IPv6 in brackets", () => {
  assert.equal(addressOf({ host: "sip.carrier.example", port: null, transport: "tls" }), "sip.carrier.example, TLS");
  assert.equal(addressOf({ host: "2001:db8::5", port: 5080, transport: "udp" }), "[2001:db8::5]:5080, UDP");
});
