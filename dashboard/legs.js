// The two sockets that a browser can talk through: as the caller, to the gateway (a test call), and as
// the agent, to the relay (docs/protocol.md). Sounds and buttons are the talk's, in `talk.js`.

import { get, post } from "./api.js";
import { learn } from "./feed.js";
import { REASONS } from "./words.js";

const AGAIN_MS = [0, 250, 500, 1000, 2000, 2000, 2000, 2000]; // within the relay's 10 s of grace
const COME_BACK = new Set([1001, 1006, 1011, 1012, 1013]);

/**
 * Whom a leg tells what becomes of it.
 * @typedef {{state: (words: string) => void, ringing: (providerCallId: string) => void,
 *   talking: () => void, digit: (digit: string) => void, audio: (frame: ArrayBuffer) => void,
 *   over: (words: string) => void}} Listener
 */

/** A call to a number of one's own. */
export class CallerLeg {
  format = "mulaw";
  rate = 8000;

  constructor(to, on) {
    this.to = to;
    this.on = on;
  }

  async connect() {
    const ticket = await post("test-call", { to: this.to });
    if (this.hung) return;
    this.socket = open(ticket.url);
    this.socket.onmessage = ({ data }) =>
      typeof data === "string" ? this.told(JSON.parse(data)) : this.on.audio(data);
    this.socket.onclose = () => this.on.over("The connection to the gateway is closed.");
  }

  told(message) {
    if (message.type === "ringing") this.on.ringing(message.call_sid);
    if (message.type === "answered") this.on.talking();
    if (message.type === "dtmf") this.on.digit(message.digit);
    if (message.type === "ended") {
      this.on.over(
        `Ended: ${message.status}${message.sip_code ? `, SIP ${message.sip_code}` : ""}${message.reason ? ` (${message.reason})` : ""}.`,
      );
    }
  }

  send(frame) {
    sendIfOpen(this.socket, frame);
  }

  press(digit) {
    sendIfOpen(this.socket, JSON.stringify({ type: "dtmf", digit }));
  }

  hangUp() {
    this.hung = true;
    sendIfOpen(this.socket, JSON.stringify({ type: "hangup" }));
    setTimeout(() => this.socket?.close(), 500);
  }
}

/** The agent's side of a call, which is accepted first if it rings. */
export class AgentLeg {
  format = "pcm_s16le";
  rate = 16000;
  failures = 0;

  constructor(callId, on) {
    this.callId = callId;
    this.on = on;
  }

  async connect() {
    let call = await get(`call/${this.callId}`);
    if (call.state === "ringing" && call.direction === "inbound") call = await this.accept();
    learn([call]);
    if (!call.audio) throw new Error("The call is over.");
    const url = new URL(call.audio.url);
    if (this.hung) return;
    url.search = new URLSearchParams({ format: this.format, rate: this.rate, token: call.audio.token });
    this.url = url.href;
    this.open();
  }

  /** Who accepts too late may come in all the same, if somebody else has accepted. */
  async accept() {
    try {
      return await post(`call/${this.callId}/accept`);
    } catch (problem) {
      if (problem.document?.call?.state !== "active") throw problem;
      return await get(`call/${this.callId}`);
    }
  }

  open() {
    this.socket = open(this.url);
    this.socket.onmessage = ({ data }) =>
      typeof data === "string" ? this.told(JSON.parse(data)) : this.on.audio(data);
    this.socket.onopen = () => this.on.state("Waiting for the call's sound…");
    this.socket.onclose = ({ code, reason }) => this.closed(code, reason);
  }

  told(message) {
    if (message.type === "start") {
      this.failures = 0;
      this.on.talking();
    }
    if (message.type === "dtmf") this.on.digit(message.digit);
    if (message.type === "stop") this.over = message.reason ?? message.state;
  }

  closed(code, reason) {
    if (this.over || this.hung) this.on.over(REASONS[this.over]?.[0] ?? "The call is over.");
    else if (code === 4409) this.on.over("Another agent has taken the call over.");
    else if (COME_BACK.has(code) && this.failures < AGAIN_MS.length) {
      this.on.state("The connection broke; connecting again…");
      setTimeout(() => this.hung || this.open(), AGAIN_MS[this.failures++]);
    } else this.on.over(reason || `The relay closed the connection (${code}).`);
  }

  send(frame) {
    sendIfOpen(this.socket, frame);
  }

  press(digits) {
    sendIfOpen(this.socket, JSON.stringify({ type: "dtmf", digits }));
  }

  hangUp() {
    this.hung = true;
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify({ type: "hangup" }));
    else post(`call/${this.callId}/leave`).catch(() => this.on.over("The call is over."));
    setTimeout(() => this.socket?.close(), 1000);
  }
}

function open(url) {
  const socket = new WebSocket(url);
  socket.binaryType = "arraybuffer";
  return socket;
}

function sendIfOpen(socket, message) {
  if (socket?.readyState === WebSocket.OPEN) socket.send(message);
}
