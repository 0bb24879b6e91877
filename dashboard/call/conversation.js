// The conversations that this browser takes part in: how far each has got, without anything on the screen
// (`widgets/callpanel.js` draws one). A tab can be the caller and the agent of the same call.

import { calls } from "../api/feed.js";
import { serverNow } from "../api/time.js";
import { Sound } from "./audio.js";

const RINGING = "Ringing. Your agent can answer it now, or you can:";
const running = new Set();

/** Find the conversation in which this browser is the agent of a call. */
export const conversationOfAgent = (callId) => [...running].find(({ leg }) => leg.callId === callId);

/** Hang up all conversations of this browser. */
export const endConversations = () => running.forEach((conversation) => conversation.hangUp());

/** One end of a call: a leg, the sound that goes with it, and their state. */
export class Conversation {
  /** @type {"starting" | "connecting" | "ringing" | "connected" | "ended"} */
  state = "starting";
  /** Its state, as a sentence. */
  status = "Asking for the microphone…";
  /** The moment at which it was first connected (ISO, server's time); null before. */
  connectedAt = null;
  /** The keys that the other side has pressed. */
  digits = "";
  muted = false;
  /** The reason that one can only listen; empty if one can speak. */
  listeningOnly = "";
  /** The error that it ended with, if any. */
  problem = null;
  /** The provider's id of the call that a test call has made. */
  providerCallId = null;

  /**
   * @param {(listener: import("./legs.js").LegListener) => object} makeLeg
   * @param {{onChange: () => void, onLevels: (levels: object) => void}} listener is called when
   *   something above has changed, and with the levels of the sound (`audio.js`)
   * @param {(options: object) => Sound} [makeSound]
   */
  constructor(makeLeg, { onChange, onLevels }, makeSound = (options) => new Sound(options)) {
    this.onChange = onChange;
    this.leg = makeLeg({
      status: (status) => this.change({ state: "connecting", status }),
      ringing: (providerCallId) => this.change({ state: "ringing", status: RINGING, providerCallId }),
      connected: () => this.connected(),
      digit: (digit) => this.change({ digits: this.digits + digit }),
      audio: (frame) => this.sound.play(frame),
      ended: (text) => this.end(text),
    });
    const { format, rate } = this.leg;
    this.sound = makeSound({ format, rate, onFrame: (frame) => this.leg.send(frame), onLevels });
  }

  /** Open the sound, then the leg; to be called while a click is handled, or browsers stay silent. */
  async start() {
    running.add(this);
    try {
      await this.sound.open();
      if (this.state === "ended") return;
      const { listeningOnly } = this.sound;
      this.change({ state: "connecting", status: "Connecting…", listeningOnly });
      await this.leg.connect();
    } catch (problem) {
      this.end("It did not work.", problem);
    }
  }

  /** Return the call that rings because of this test call, once it is in the feed. */
  calledCall() {
    return [...calls.values()].find((call) => this.providerCallId && call.provider_call_id === this.providerCallId);
  }

  /** Return whether another conversation of this browser is connected, too. */
  othersConnected() {
    return [...running].some((other) => other !== this && other.connectedAt);
  }

  sendDigit(digit) {
    this.leg.sendDigit(digit);
  }

  toggleMute() {
    this.sound.mute(!this.muted);
    this.change({ muted: !this.muted });
  }

  hangUp() {
    this.leg.hangUp();
    this.end("You hung up.");
  }

  connected() {
    const connectedAt = this.connectedAt ?? new Date(serverNow()).toISOString();
    this.change({ state: "connected", status: "Connected", connectedAt });
  }

  end(status, problem = null) {
    if (this.state === "ended") return;
    running.delete(this);
    this.sound.close();
    this.change({ state: "ended", status, problem });
  }

  /** Take new values over, unless it has ended: what comes late changes nothing. */
  change(fields) {
    if (this.state === "ended") return;
    Object.assign(this, fields);
    this.onChange();
  }
}
