// Labels and explanations for the API's values: states and end reasons. There is one for each
// `end_reason`; a value that is newer than this page is shown as it is.

import { formatNumber } from "./phone.js";

/** Tone and label of each state of a call. */
export const CALL_STATES = {
  connecting: ["busy", "Connecting"],
  ringing: ["warn", "Ringing"],
  active: ["good", "Active"],
  missed: ["bad", "Missed"],
  declined: ["quiet", "Declined"],
  ended: ["quiet", "Ended"],
  failed: ["bad", "Failed"],
};

/** An explanation of each end reason, and a remedy, which may be empty. */
export const END_REASONS = {
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
  rejected: ["The called network refused the call.", ""],
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
    "The telephone provider could not put the call through, or lost it.",
    "Try again; if it happens again, look at the trunk's status, and tell the operator the call's id.",
  ],
  peer_ended: ["The other party of the transfer hung up.", ""],
  transferred: ["The call was transferred, and goes on without this service.", ""],
};

/**
 * Return `[explanation, remedy]` of how a call ended, each perhaps empty. Why an agent was not reached is
 * told in place of the remedy, also while the call lasts.
 */
export function explainEnding(call) {
  const [explanation, remedy] = explainReason(call);
  return [explanation, call.agent_detail ?? remedy];
}

function explainReason(call) {
  const [explanation, remedy] = END_REASONS[call.end_reason] ?? [
    call.end_reason ? `It ended: ${call.end_reason}.` : "",
    "",
  ];
  if (call.end_reason === "declined" && call.direction === "inbound") return ["Your side declined the call.", ""];
  if (call.end_reason === "caller_hangup" && call.state !== "missed") return [explanation, ""];
  return [explanation, remedy];
}

/** A sentence for each word by which the gateway says that a test call ended. */
const TEST_CALL_ENDINGS = {
  completed: "The agent's side ended the call.",
  busy: "Busy: the call was declined, or you have as many calls as you may.",
  "no-answer": "Nobody answered the call.",
  canceled: "The call was given up before the answer.",
  failed: "The call broke off. Try again; if it breaks off again, tell the operator when it was.",
};

/**
 * Say how a test call ended, to the browser that was the caller.
 * @param {{status: string, sip_code: number, reason: string}} ending the gateway's message
 * @param {boolean} hungUp whether this browser hung up
 */
export function explainTestCall({ status, sip_code: code, reason }, hungUp) {
  if (hungUp) return "You hung up.";
  if (reason === "time limit") return END_REASONS.max_duration[0];
  if (code === 404) return "Nobody answers at this number: it is not one of yours any more.";
  return TEST_CALL_ENDINGS[status] ?? "The call is over.";
}

/** Return whether a browser of ours is the caller: providers name those by such an identity. */
export const isTestCall = (call) => call.from.startsWith("client:");

/** Name the caller, to be read. */
export const callerName = (call) => (isTestCall(call) ? "Test call from the browser" : formatNumber(call.from));
/** Name the party on the phone network: the caller, or whom the agent dialled. */
export const otherPartyName = (call) => (call.direction === "inbound" ? callerName(call) : formatNumber(call.to));
