// What the API's words mean, and what to do: states, the reasons that calls end for, SIP codes. One
// entry for each `end_reason` there is; a word that is newer than this page is shown as it is.

import { pretty } from "./phone.js";

/** Tone and word of each state of a call. */
export const STATES = {
  connecting: ["busy", "Connecting"],
  ringing: ["warn", "Ringing"],
  active: ["good", "Active"],
  missed: ["bad", "Missed"],
  declined: ["quiet", "Declined"],
  ended: ["quiet", "Ended"],
  failed: ["bad", "Failed"],
};

/** What happened, and what to do about it. */
export const REASONS = {
  ring_timeout: [
    "Nobody answered within 60 seconds.",
    "Have an agent running that accepts calls, or switch on auto-answer for the number.",
  ],
  caller_hangup: ["The caller hung up.", "If that was before the answer, answer sooner or switch on auto-answer."],
  callee_hangup: ["The called party hung up.", ""],
  agent_hangup: ["Your side hung up.", ""],
  declined: ["The call was declined.", "Do not call again at once: a number that declined is not dialled for an hour."],
  busy: ["The called number is busy.", "Call again in a few minutes."],
  no_answer: ["The called party did not answer.", "Call again later, or let it ring longer."],
  rejected: ["The called network refused the call.", "The SIP code below says why."],
  agent_lost: [
    "The agent's connection broke and did not come back within 10 seconds.",
    "Look at the agent's log and its network; have it reconnect to the same audio URL.",
  ],
  no_agent: [
    "The call was answered, but no agent came within 30 seconds.",
    "Have the agent open the call's audio URL as soon as the call is answered, or set a working agent URL.",
  ],
  media_failed: [
    "The caller's audio stream broke.",
    "If it happens again, the operator finds the call by its id in the relay's log.",
  ],
  max_duration: [
    "The call reached its longest allowed duration.",
    "Dial with a longer maximum duration, up to your account's limit.",
  ],
  provider_error: [
    "The telephone provider failed or refused.",
    "Try again; if it goes on, see the trunk's status and tell the operator the call's id.",
  ],
};

const SIP = {
  200: ["OK", ""],
  400: ["Bad request", "The carrier did not understand the call: check the form of number and caller ID."],
  401: ["Not authorised", "User name, password or realm is wrong. Correct it under SIP Trunk."],
  402: ["Payment required", "Your account at the carrier has no credit."],
  403: ["Forbidden", "The carrier does not allow it: the number, the country or the caller ID. Ask the carrier."],
  404: ["Not found", "Nobody has this number, or the carrier does not know it in this form."],
  405: ["Method not allowed", "Ask the carrier what it takes."],
  407: ["Proxy wants authorisation", "User name, password or realm is wrong. Correct it under SIP Trunk."],
  408: ["No answer from the far side", "Check host, port and transport; a firewall may be in between."],
  410: ["Gone", "The number is not in use any more."],
  423: ["Registration too brief", "The carrier wants longer intervals: tell the operator."],
  477: ["No connection", "The trunk's host could not be reached by TCP or TLS: check port and transport."],
  478: ["No such host", "The trunk's host has no address, or a private one: check its spelling."],
  480: ["Not available", "The called party is not reachable now: call again later."],
  484: ["Incomplete number", "Digits are missing."],
  486: ["Busy", "Call again in a few minutes."],
  487: ["Cancelled", "The call was given up before the answer."],
  488: ["No common codec", "The carrier offers no G.711: ask for PCMU or PCMA."],
  500: ["Trouble at the far side", "Try again later."],
  502: ["Bad gateway", "Trouble in the carrier's network: try again later."],
  503: ["Out of service", "The carrier is overloaded or down: try again later."],
  504: ["Timed out", "Trouble in the carrier's network: try again later."],
  600: ["Busy everywhere", "Call again later."],
  603: ["Declined", "The called party does not want the call."],
  604: ["Does not exist anywhere", "Nobody has this number."],
  607: ["Unwanted", "The called party marked the call as unwanted."],
  608: ["Rejected by a filter", "A filter for unwanted calls stopped it; the carrier may say which."],
};
const CLASSES = { 3: "Redirected elsewhere", 4: "Refused", 5: "Trouble at the far side", 6: "Refused everywhere" };

/** `[name, what to do]` of a SIP code, whichever it is. */
export function sipCode(code) {
  return SIP[code] ?? [CLASSES[Math.floor(code / 100)] ?? "Unknown", "Ask the carrier what it means by it."];
}

/** How a call ended: a sentence, and what to do, each perhaps empty. */
export function ending(call) {
  const [what, remedy] = REASONS[call.end_reason] ?? [call.end_reason ? `It ended: ${call.end_reason}.` : "", ""];
  if (call.end_reason === "declined" && call.direction === "inbound") return ["Your side declined the call.", ""];
  if (call.end_reason === "caller_hangup" && call.state !== "missed") return [what, ""];
  return [what, remedy];
}

/** A browser of ours that calls: providers name those by such an identity. */
export const isTestCall = (call) => call.from.startsWith("client:");

/** Who calls or is called, to be read. */
export const caller = (call) => (isTestCall(call) ? "Test call from the browser" : pretty(call.from));
export const otherParty = (call) => (call.direction === "inbound" ? caller(call) : pretty(call.to));

/** What tries of a delivery came to, in a word and its tone. */
export const DELIVERY_STATES = {
  pending: ["busy", "On its way"],
  delivered: ["good", "Delivered"],
  failed: ["bad", "Failed"],
  stopped: ["quiet", "Stopped"],
};

/** What each first word of a delivery's `error` means. */
export const DELIVERY_ERRORS = {
  timeout: "Nothing came within 15 s: answer soon, work later.",
  unresolvable: "The host's name has no address: check the URL.",
  private_address: "The name leads into a private network.",
  plain_http: "Only https:// is posted to.",
  connect_failed: "Nothing listens there.",
  tls_failed: "The certificate does not hold, or TLS is not spoken there.",
  connection_lost: "The connection broke before the answer was whole.",
  bad_answer: "The answer was not HTTP.",
  secret_unreadable: "The secret was lost: rotate it.",
};

/** How a trunk is doing, in a word and its tone. */
export const TRUNK_STATES = {
  registering: ["busy", "Registering"],
  registered: ["good", "Registered"],
  failed: ["bad", "Failed"],
  unregistered: ["quiet", "Nothing to register"],
};
