// The two legs that a browser can be, each a WebSocket: the caller's, to the gateway (a test call), and the
// agent's, to the relay (docs/protocol.md). Sound and state are the conversation's, in `conversation.js`.

import { mergeCalls } from "../api/feed.js";
import { END_REASONS, explainTestCall } from "../api/labels.js";
import { get, post } from "../api/requests.js";

const RECONNECT_DELAYS_MS = [0, 250, 500, 1000, 2000, 2000, 2000, 2000]; // within the relay's 10 s of grace
const RECONNECT_CODES = new Set([1001, 1006, 1011, 1012, 1013]);
const TAKEN_OVER = 4409;
const AGENT_PROTOCOL = "chamade.v1";

/**
 * The callbacks of a leg.
 * @typedef {{status: (text: string) => void, ringing: (providerCallId: string) => void,
 *   connected: () => void, digit: (digit: string) => void, audio: (frame: ArrayBuffer) => void,
 *   ended: (text: string) => void}} LegListener
 */

/** The caller's leg of a test call to a number of the account's. */
export class CallerLeg {
  format = "mulaw";
  rate = 8000;

  /** @param {string} to E.164 @param {LegListener} listener */
  constructor(to, listener) {
    this.to = to;
    this.listener = listener;
  }

  /** Get a ticket for the call, and open the socket. */
  async connect() {
    const ticket = await post("test-call", { to: this.to });
    if (this.hungUp) return;
    this.socket = openSocket(ticket.url);
    this.socket.onmessage = ({ data }) =>
      typeof data === "string" ? this.receive(JSON.parse(data)) : this.listener.audio(data);
    this.socket.onclose = () => this.listener.ended("The connection broke: check your network, then call again.");
  }

  receive(message) {
    const { type, call_sid: sid, digit } = message;
    if (type === "ringing") this.listener.ringing(sid);
    if (type === "answered") this.listener.connected();
    if (type === "dtmf") this.listener.digit(digit);
    if (type === "ended") this.listener.ended(explainTestCall(message, this.hungUp));
  }

  send(frame) {
    sendIfOpen(this.socket, frame);
  }

  sendDigit(digit) {
    sendIfOpen(this.socket, JSON.stringify({ type: "dtmf", digit }));
  }

  hangUp() {
    this.hungUp = true;
    sendIfOpen(this.socket, JSON.stringify({ type: "hangup" }));
    setTimeout(() => this.socket?.close(), 500);
  }
}

/** The agent's leg of a call, which is accepted first if it rings. */
export class AgentLeg {
  format = "pcm_s16le";
  rate = 16000;
  failures = 0; // in a row

  /** @param {string} callId @param {LegListener} listener */
  constructor(callId, listener) {
    this.callId = callId;
    this.listener = listener;
  }

  /** Accept the call if it rings, and open the socket. */
  async connect() {
    let call = await get(`call/${this.callId}`);
    if (call.state === "ringing" && call.direction === "inbound") call = await this.accept();
    mergeCalls([call]);
    if (!call.audio) throw new Error("The call is over.");
    if (this.hungUp) return;
    this.open(call.audio);
  }

  /** Accept the call. If another agent was faster, return the call as it is: one may come in all the same. */
  async accept() {
    try {
      return await post(`call/${this.callId}/accept`);
    } catch (problem) {
      if (problem.body?.call?.state !== "active") throw problem;
      return await get(`call/${this.callId}`);
    }
  }

  /**
   * Open the socket. The token is offered as a subprotocol: a URL would stand in logs, and browsers can set
   * no header.
   */
  open(audio) {
    this.audio = audio;
    const url = new URL(audio.url);
    url.search = new URLSearchParams({ format: this.format, rate: this.rate });
    this.opened = false;
    this.socket = openSocket(url.href, [AGENT_PROTOCOL, `chamade.token.${audio.token}`]);
    this.socket.onmessage = ({ data }) =>
      typeof data === "string" ? this.receive(JSON.parse(data)) : this.listener.audio(data);
    this.socket.onopen = () => {
      this.opened = true;
      this.listener.status("Waiting for the call's sound…");
    };
    this.socket.onclose = ({ code, reason }) => this.closed(code, reason);
  }

  receive(message) {
    if (message.type === "start") {
      this.failures = 0;
      this.listener.connected();
    }
    if (message.type === "dtmf") this.listener.digit(message.digit);
    if (message.type === "stop") this.stopReason = message.reason ?? message.state;
  }

  closed(code, reason) {
    if (this.stopReason || this.hungUp) this.listener.ended(END_REASONS[this.stopReason]?.[0] ?? "The call is over.");
    else if (code === TAKEN_OVER) this.listener.ended("Another agent has taken the call over.");
    else if (RECONNECT_CODES.has(code) && this.failures < RECONNECT_DELAYS_MS.length) {
      this.listener.status("The connection broke; connecting again…");
      setTimeout(() => this.reconnect(), RECONNECT_DELAYS_MS[this.failures++]);
    } else this.listener.ended(`The connection to the call broke: ${reason || `code ${code}`}.`);
  }

  /**
   * Open the socket again. A handshake that was refused looks to a browser like any other failure: after
   * one the call is asked for first, as it may be over or have another token.
   */
  async reconnect() {
    let { audio } = this;
    if (!this.opened)
      audio = await get(`call/${this.callId}`).then(
        (call) => call.audio,
        () => audio,
      );
    if (this.hungUp) return;
    if (audio) this.open(audio);
    else this.listener.ended("The call is over.");
  }

  send(frame) {
    sendIfOpen(this.socket, frame);
  }

  sendDigit(digits) {
    sendIfOpen(this.socket, JSON.stringify({ type: "dtmf", digits }));
  }

  hangUp() {
    this.hungUp = true;
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify({ type: "hangup" }));
    else post(`call/${this.callId}/leave`).catch(() => this.listener.ended("The call is over."));
    setTimeout(() => this.socket?.close(), 1000);
  }
}

function openSocket(url, protocols = []) {
  const socket = new WebSocket(url, protocols);
  socket.binaryType = "arraybuffer";
  return socket;
}

function sendIfOpen(socket, message) {
  if (socket?.readyState === WebSocket.OPEN) socket.send(message);
}
