// Conversations that this browser takes part in, each in a panel that stays while one moves about:
// state, levels, keys, mute, hanging up. A tab can be the caller and the agent of the same call.

import { Sound } from "./audio.js";
import { fill, h, say } from "./dom.js";
import { calls, onCalls } from "./feed.js";
import { AgentLeg, CallerLeg } from "./legs.js";
import { pretty } from "./phone.js";
import { clock, serverNow } from "./time.js";
import { button, problemBox, toast } from "./ui.js";
import { otherParty } from "./words.js";

const KEYS = [..."123456789*0#"];
const talks = new Set();

/** Calls a number of one's own, with the microphone as the caller. */
export const callOneself = (to) =>
  begin(`Test call to ${pretty(to)}`, "You are the caller", (on) => new CallerLeg(to, on));

/** Takes the agent's place in a call. */
export function answerHere(call) {
  const running = [...talks].find((talk) => talk.leg.callId === call.call_id);
  if (running) return running.panel.focus();
  return begin(
    `${call.direction === "inbound" ? "Answering" : "Talking to"}: ${otherParty(call)}`,
    "You are the agent",
    (on) => new AgentLeg(call.call_id, on),
  );
}

/** Ends all of them. */
export const endTalks = () => talks.forEach((talk) => talk.hangUp());

async function begin(title, role, makeLeg) {
  const talk = new Talk(title, role, makeLeg);
  talks.add(talk);
  document.getElementById("talks").append(talk.panel);
  talk.panel.focus();
  await talk.run();
}

class Talk {
  constructor(title, role, makeLeg) {
    this.role = role;
    this.stopWatching = new AbortController();
    this.counts = { underruns: 0, droppedMs: 0, bufferedMs: 0 };
    this.leg = makeLeg({
      state: (words) => this.tell(words),
      ringing: (sid) => this.rings(sid),
      talking: () => this.talks(),
      digit: (digit) => say(this.pressed, `Keys heard: ${(this.heard = (this.heard ?? "") + digit)}`),
      audio: (frame) => this.sound.play(frame),
      over: (words) => this.end(words),
    });
    this.sound = new Sound({
      format: this.leg.format,
      rate: this.leg.rate,
      onFrame: (frame) => this.leg.send(frame),
      onLevels: (levels) => this.show(levels),
    });
    this.build(title);
  }

  build(title) {
    this.status = h("p", { role: "status", class: "strong" }, "Asking for the microphone…");
    this.hint = h("div");
    this.notice = h("div");
    this.pressed = h("p", { class: "fine num", role: "status" });
    this.figures = h("p", { class: "fine num" });
    this.mic = meter("Microphone level", "You");
    this.peer = meter("Level of the other side", "Them");
    this.muteButton = h("button", { type: "button", "aria-pressed": "false", onclick: () => this.mute() }, "Mute");
    this.hangButton = h("button", { type: "button", class: "danger", onclick: () => this.hangUp() }, "Hang up");
    this.keypad = h(
      "div",
      { class: "keypad", role: "group", "aria-label": "Keypad", hidden: true },
      KEYS.map((key) =>
        h("button", { type: "button", "aria-label": `Key ${key}`, onclick: () => this.leg.press(key) }, key),
      ),
    );
    const keys = h(
      "button",
      {
        type: "button",
        "aria-expanded": "false",
        onclick: () => {
          this.keypad.hidden = !this.keypad.hidden;
          keys.setAttribute("aria-expanded", String(!this.keypad.hidden));
        },
      },
      "Keypad",
    );
    this.live = h(
      "div",
      {},
      this.mic.node,
      this.peer.node,
      this.keypad,
      h("div", { class: "actions" }, this.muteButton, keys, this.hangButton),
    );
    const fold = h(
      "button",
      {
        type: "button",
        class: "small",
        "aria-expanded": "true",
        "aria-label": `Hide: ${title}`,
        onclick: () => {
          const folded = this.panel.classList.toggle("folded");
          fold.setAttribute("aria-expanded", String(!folded));
          say(fold, folded ? "Show" : "Hide");
          fold.setAttribute("aria-label", `${fold.textContent}: ${title}`);
        },
      },
      "Hide",
    );
    this.panel = h(
      "section",
      { class: "talk", "aria-label": title, tabindex: -1 },
      h("header", { class: "spread" }, h("div", {}, h("h2", {}, title), h("p", { class: "fine" }, this.role)), fold),
      this.status,
      this.notice,
      this.hint,
      this.live,
      this.pressed,
      this.figures,
    );
  }

  async run() {
    try {
      await this.sound.open();
      if (this.over) return;
      if (this.sound.listeningOnly)
        fill(this.notice, h("p", { class: "notice" }, "Listening only. ", this.sound.listeningOnly));
      this.muteButton.disabled = Boolean(this.sound.listeningOnly);
      this.tell("Connecting…");
      await this.leg.connect();
    } catch (problem) {
      this.end("It did not work.", problem);
    }
  }

  tell(words) {
    if (!this.over) fill(this.status, words);
  }

  /** The gateway has let the call in. As soon as we hear of the call itself one can answer it here. */
  rings(sid) {
    this.tell("Ringing. Your agent can answer it now, or you can:");
    const offer = () => {
      const call = [...calls.values()].find((each) => each.provider_call_id === sid);
      if (!call || this.over) return;
      const ringing = call.state === "ringing";
      fill(
        this.hint,
        h(
          "div",
          { class: "actions" },
          ringing &&
            h(
              "button",
              { type: "button", class: "primary small", onclick: () => answerHere(call) },
              "Answer as the agent",
            ),
          h("a", { href: `#/call/${call.call_id}` }, "See the call"),
        ),
      );
    };
    onCalls(offer, this.stopWatching.signal);
    offer();
  }

  talks() {
    if (!this.since) this.since = new Date(serverNow()).toISOString();
    const both = [...talks].filter((talk) => talk.since && !talk.over).length > 1;
    this.tell(["Connected ", clock({ since: this.since })]);
    if (both) toast("You are both ends of a call now: mute one of them, or use headphones.");
  }

  show({ mic, peer, ...counts }) {
    if (mic != null) this.mic.set(mic);
    if (peer == null) return;
    this.peer.set(peer);
    Object.assign(this.counts, counts);
    const { bufferedMs, underruns, droppedMs } = this.counts;
    say(this.figures, `Buffer ${Math.round(bufferedMs / 20) * 20} ms, gaps ${underruns}, dropped ${droppedMs} ms`);
  }

  mute() {
    this.muted = !this.muted;
    this.sound.mute(this.muted);
    this.muteButton.setAttribute("aria-pressed", String(this.muted));
    say(this.muteButton, this.muted ? "Unmute" : "Mute");
  }

  hangUp() {
    this.leg.hangUp();
    this.end("You hung up.");
  }

  end(words, problem) {
    if (this.over) return;
    fill(this.status, words);
    this.over = true;
    talks.delete(this);
    this.stopWatching.abort();
    this.sound.close();
    this.live.remove();
    fill(
      this.hint,
      problem && problemBox(problem),
      h(
        "div",
        { class: "actions" },
        button("Close", async () => this.panel.remove()),
      ),
    );
    if (!problem) setTimeout(() => this.panel.contains(document.activeElement) || this.panel.remove(), 8000);
  }
}

/** A bar for a level, in decibels below full scale: -60 is empty. */
function meter(label, text) {
  const bar = h("span");
  const node = h(
    "div",
    { role: "meter", "aria-label": label, "aria-valuemin": -60, "aria-valuemax": 0, "aria-valuenow": -60 },
    bar,
  );
  let shown = 0;
  let told = 0;
  const set = (peak) => {
    shown = Math.max(peak, shown * 0.8); // falls slowly, so that it can be seen
    const decibels = Math.max(-60, Math.round(20 * Math.log10(shown || 1e-9)));
    bar.style.transform = `scaleX(${(60 + decibels) / 60})`;
    if (Date.now() - told < 250) return;
    told = Date.now();
    node.setAttribute("aria-valuenow", decibels);
  };
  return { node: h("div", { class: "level" }, h("span", { class: "fine" }, text), node), set };
}
