// Labels of a delivery's states and errors. Apart from `labels.js`, as only some views need them.

/** Tone and label of each state of a delivery. */
export const DELIVERY_STATES = {
  pending: ["busy", "On its way"],
  delivered: ["good", "Delivered"],
  failed: ["bad", "Failed"],
  stopped: ["quiet", "Stopped"],
};

/** An explanation of each word that a delivery's `error` begins with. */
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
