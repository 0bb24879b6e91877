// Words for the line of a call (hold, transfer), for its recordings, and for every type of event; and what can be
// done to a call's line and recording now. A value that is newer than this page is shown as it is.

import { END_REASONS } from "./labels.js";

/** A sentence for each value of a call's `hold`. */
export const HOLDS = {
  agent: "The call is on hold: the far end hears music, or silence, and neither side hears the other.",
  transfer: "The far end waits while the call is being transferred.",
  far_end:
    "The other party has put the call on hold: it hears nothing of you, and you hear what it plays, if anything.",
};

/** The holder of a call, for the timeline. */
const HELD_BY = { agent: "by you", transfer: "for a transfer", far_end: "by the other party" };

/** Tone and label of each state of a transfer. */
export const TRANSFER_STATES = {
  dialling: ["busy", "Calling the third party"],
  ringing: ["warn", "Ringing at the third party"],
  consulting: ["good", "The third party has answered"],
  completed: ["good", "Transferred"],
  failed: ["bad", "Not transferred"],
  cancelled: ["quiet", "Given up"],
};

/** Names of the modes of a transfer. */
export const TRANSFER_MODES = { cold: "cold", warm: "warm", refer: "by the caller's network" };

/** Tone and label of each state of a recording. */
export const RECORDING_STATES = {
  recording: ["bad", "Recording"],
  processing: ["busy", "Its file is being made"],
  ready: ["good", "Ready"],
  failed: ["bad", "Failed"],
};

/** A sentence for each reason why a recording has no file. */
export const RECORDING_FAILURES = {
  no_audio: "No audio of it was stored.",
  not_composed: "Its file could not be made.",
};

/** Tone and label of each type of event. */
export const EVENTS = {
  "call.connecting": ["busy", "Dialled"],
  "call.ringing": ["warn", "Ringing"],
  "call.answered": ["good", "Answered"],
  "call.missed": ["bad", "Missed"],
  "call.declined": ["quiet", "Declined"],
  "call.ended": ["quiet", "Ended"],
  "call.failed": ["bad", "Failed"],
  "call.quality": ["warn", "Quality of the audio changed"],
  "call.dtmf": ["busy", "Keys"],
  "call.speech": ["quiet", "A text is spoken"],
  "call.transcript": ["quiet", "The caller said something"],
  "call.voice": ["warn", "Another voice host took over"],
  "call.media_moved": ["warn", "Another relay took over"],
  "call.held": ["warn", "On hold"],
  "call.unheld": ["good", "Off hold"],
  "call.transfer.started": ["busy", "Transfer begun"],
  "call.transfer.answered": ["good", "The third party answered"],
  "call.transfer.completed": ["good", "Transferred"],
  "call.transfer.failed": ["bad", "Not transferred"],
  "call.recording.started": ["busy", "Recording begun"],
  "call.recording.ready": ["good", "Recording ready"],
  "call.recording.failed": ["bad", "Recording failed"],
  "call.turned_away": ["bad", "Callers were turned away"],
  "number.activated": ["good", "Number activated"],
  "number.released": ["quiet", "Number released"],
  "number.added": ["good", "Number added"],
  "number.removed": ["quiet", "Number removed"],
  "number.not_added": ["bad", "Call for a number that is not added"],
  "trunk.connected": ["good", "Trunk connected"],
  "trunk.disconnected": ["quiet", "Trunk disconnected"],
  "trunk.registered": ["good", "Trunk can be used"],
  "trunk.shed": ["bad", "Calls were refused: overload"],
  "trunk.failed": ["bad", "Trunk cannot be used"],
  "webhook.disabled": ["bad", "Webhook disabled"],
  "webhook.test": ["quiet", "Webhook test"],
};

const MOMENTS = /^call\.(dtmf|quality|voice|media_moved|held|unheld|transfer\.|recording\.)/;

/** Return whether an event changed what the call shows beside its state: hold, transfer or recording. */
export const changesLine = ({ type }) => /^call\.(held|unheld|transfer\.|recording\.)/.test(type);

/** Return `[tone, text, explanation]` of an event for the call's timeline; null if its state tells of it. */
export function momentOf({ type, data }) {
  if (!MOMENTS.test(type)) return null;
  const [tone, label] = EVENTS[type] ?? ["quiet", type];
  if (type === "call.dtmf") return [tone, `Keys ${data.digits}`, null];
  if (type === "call.quality")
    return data.quality === "good" ? ["good", "Audio good again", null] : [tone, "Poor audio", null];
  if (type === "call.transfer.failed") return [tone, label, transferFailure(data)];
  if (type === "call.recording.failed") return [tone, label, RECORDING_FAILURES[data.why] ?? data.why];
  return [tone, label, HELD_BY[data.by] ?? null];
}

/** Return in a sentence why a transfer was not completed. */
export function transferFailure({ why }) {
  if (why === "cancelled") return "You gave it up.";
  if (why === "call_over") return "The call ended first.";
  return END_REASONS[why]?.[0] ?? (why ? `It failed: ${why}.` : "");
}

/** Return in a sentence how a transfer stands, or what came of it. */
export function explainTransfer(transfer) {
  const { state, mode } = transfer;
  if (state === "failed") return transferFailure(transfer);
  if (state === "cancelled") return "You gave it up, and your agent has the call again.";
  if (state === "completed" && mode === "refer") return "The caller's network has taken the call over.";
  if (state === "completed") return "The two parties talk to each other; your agent is out.";
  if (state === "consulting") return "Your agent talks to the third party: complete the transfer, or cancel it.";
  if (mode === "warm") return "Your agent talks to the third party first, in a call of its own.";
  return mode === "cold" ? "The two are joined as soon as the third party answers." : "The caller's network was asked.";
}

/** Return whether the outcome of a transfer is still open. */
export const isUnderWay = (transfer) => ["dialling", "ringing", "consulting"].includes(transfer?.state);

/**
 * List what can be done to a call's line now, out of `hold`, `resume`, `transfer`, `complete`, `cancel`.
 * @param {object} call @param {object} [parent] the call whose transfer it belongs to, if it is known
 */
export function lineVerbs(call, parent) {
  const { state, hold, transfer } = call;
  if (state !== "active") return [];
  if (isUnderWay(transfer)) return transfer.state === "consulting" ? ["complete", "cancel"] : ["cancel"];
  if (transfer?.state === "completed" || parent?.transfer?.state === "completed" || hold === "transfer") return [];
  const held = hold === "agent" ? "resume" : "hold";
  return call.kind === "transfer_leg" ? [held] : [held, "transfer"];
}

/** List what can be done to a call's recording now, out of `start`, `pause`, `resume`, `stop`. */
export function recordingVerbs({ state, recording }) {
  if (state !== "active") return [];
  if (!recording) return ["start"];
  return [recording.state === "paused" ? "resume" : "pause", "stop"];
}
