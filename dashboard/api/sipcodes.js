// Names of SIP codes, and what to do about each. Apart from `labels.js`, as only some views need them.

/** Name and remedy of each SIP code. */
const SIP_CODES = {
  200: ["OK", ""],
  400: ["Bad request", "The carrier did not understand the call: check the form of number and caller ID."],
  401: ["Not authorised", "User name, password or realm is wrong. Correct it under SIP trunks."],
  402: ["Payment required", "Your account at the carrier has no credit."],
  403: ["Forbidden", "The carrier does not allow it: the number, the country or the caller ID. Ask the carrier."],
  404: ["Not found", "Nobody has this number, or the carrier does not know it in this form."],
  405: ["Method not allowed", "Ask the carrier what it takes."],
  407: ["Proxy wants authorisation", "User name, password or realm is wrong. Correct it under SIP trunks."],
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
const SIP_CLASSES = { 3: "Redirected elsewhere", 4: "Refused", 5: "Trouble at the far side", 6: "Refused everywhere" };

/** Return `[name, remedy]` of a SIP code, known or not. */
export function explainSipCode(code) {
  return SIP_CODES[code] ?? [SIP_CLASSES[Math.floor(code / 100)] ?? "Unknown", "Ask the carrier what it means by it."];
}
