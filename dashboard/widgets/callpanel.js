// The panel of a conversation, which stays while one moves about: status, levels, keys, mute, hanging up.

import { onCalls } from "../api/feed.js";
import { otherPartyName } from "../api/labels.js";
import { formatNumber } from "../api/phone.js";
import { Conversation, conversationOfAgent } from "../call/conversation.js";
import { AgentLeg, CallerLeg } from "../call/legs.js";
import { button, toast } from "./button.js";
import { runningClock } from "./clock.js";
import { fill, h, setText } from "./dom.js";
import { problemBox } from "./ui.js";

const KEYS = [..."123456789*0#"];
const CLOSES_AFTER_MS = 8000;
const panels = new WeakMap(); // by conversation

/** Call a number of the account's, with the microphone as the caller. */
export const placeTestCall = (to) =>
  open(`Test call to ${formatNumber(to)}`, "You are the caller", (listener) => new CallerLeg(to, listener));

/** Talk in a call as its agent. */
export function answerHere(call) {
  const conversation = conversationOfAgent(call.call_id);
  if (conversation) return panels.get(conversation).node.focus();
  const title = `${call.direction === "inbound" ? "Answering" : "Talking to"}: ${otherPartyName(call)}`;
  return open(title, "You are the agent", (listener) => new AgentLeg(call.call_id, listener));
}

async function open(title, role, makeLeg) {
  const panel = new CallPanel(title, role, makeLeg);
  panels.set(panel.conversation, panel);
  document.getElementById("conversations").append(panel.node);
  panel.node.focus();
  await panel.conversation.start();
}

/** The panel of one conversation. Its elements are drawn again from the conversation's fields. */
class CallPanel {
  constructor(title, role, makeLeg) {
    this.unsubscribe = new AbortController();
    this.conversation = new Conversation(makeLeg, {
      onChange: () => this.draw(),
      onLevels: (levels) => this.drawLevels(levels),
    });
    this.status = h("p", { role: "status", class: "strong" }, this.conversation.status);
    this.notice = h("div");
    this.hint = h("div");
    this.digits = h("p", { class: "fine num", role: "status" });
    this.figures = h("p", { class: "fine num" });
    this.controls = this.makeControls();
    this.fold = this.foldButton(title);
    const header = h(
      "header",
      { class: "spread" },
      h("div", {}, h("h2", {}, title), h("p", { class: "fine" }, role)),
      this.fold,
    );
    this.node = h("section", { class: "conversation", "aria-label": title, tabindex: -1 }, header, [
      this.status,
      this.notice,
      this.hint,
      this.controls,
      this.digits,
      this.figures,
    ]);
    onCalls(() => this.drawCalledCall(), this.unsubscribe.signal);
  }

  makeControls() {
    const { conversation } = this;
    this.microphone = meter("Microphone level", "You");
    this.otherSide = meter("Level of the other side", "Them");
    const mute = { type: "button", "aria-pressed": "false", onclick: () => conversation.toggleMute() };
    this.muteButton = h("button", mute, "Mute");
    const hangUp = { type: "button", class: "danger", onclick: () => conversation.hangUp() };
    const keypad = h(
      "div",
      { class: "keypad", role: "group", "aria-label": "Keypad", hidden: true },
      KEYS.map((key) =>
        h("button", { type: "button", "aria-label": `Key ${key}`, onclick: () => conversation.sendDigit(key) }, key),
      ),
    );
    const unfold = expander("Keypad", {}, false, (expanded) => (keypad.hidden = !expanded));
    return h(
      "div",
      {},
      this.microphone.node,
      this.otherSide.node,
      keypad,
      h("div", { class: "actions" }, this.muteButton, unfold, h("button", hangUp, "Hang up")),
    );
  }

  foldButton(title) {
    const node = expander("Hide", { class: "small", "aria-label": `Hide: ${title}` }, true, (expanded) => {
      this.node.classList.toggle("folded", !expanded);
      setText(node, expanded ? "Hide" : "Show");
      node.setAttribute("aria-label", `${node.textContent}: ${title}`);
    });
    return node;
  }

  draw() {
    const { conversation } = this;
    const { state, digits, muted, listeningOnly } = conversation;
    if (state !== this.drawnState || state !== "connected") this.drawStatus();
    if (state === "connected" && this.drawnState !== "connected" && conversation.othersConnected())
      toast("You are both ends of a call now: mute one of them, or use headphones.");
    this.drawnState = state;
    if (digits) setText(this.digits, `Keys heard: ${digits}`);
    fill(this.notice, listeningOnly && h("p", { class: "notice" }, "Listening only. ", listeningOnly));
    this.muteButton.disabled = Boolean(listeningOnly);
    this.muteButton.setAttribute("aria-pressed", String(muted));
    setText(this.muteButton, muted ? "Unmute" : "Mute");
    if (state === "ended") this.drawEnd();
    else this.drawCalledCall();
  }

  drawStatus() {
    const { state, status, connectedAt } = this.conversation;
    if (state === "connected") fill(this.status, `${status} `, runningClock({ since: connectedAt }));
    else setText(this.status, status);
  }

  /** Draw a link to the call that this test call has made, and while it rings a button that answers it. */
  drawCalledCall() {
    const call = this.conversation.calledCall();
    const ringing = call?.state === "ringing";
    if (!call || ringing === this.drawnRinging) return;
    this.drawnRinging = ringing;
    const answer = { type: "button", class: "primary small", onclick: () => answerHere(call) };
    fill(
      this.hint,
      h(
        "div",
        { class: "actions" },
        ringing && h("button", answer, "Answer here"),
        h("a", { href: `#/call/${call.call_id}` }, "See the call"),
      ),
    );
  }

  drawLevels({ mic, peer, bufferedMs, underruns, droppedMs }) {
    if (mic != null) this.microphone.set(mic);
    if (peer == null) return;
    this.otherSide.set(peer);
    const buffer = Math.round(bufferedMs / 20) * 20;
    setText(this.figures, `Buffer ${buffer} ms, gaps ${underruns}, dropped ${droppedMs} ms`);
  }

  drawEnd() {
    const { problem } = this.conversation;
    this.unsubscribe.abort();
    for (const node of [this.controls, this.figures, this.fold]) node.remove();
    this.node.classList.remove("folded");
    const close = button("Close", async () => this.node.remove());
    const call = this.conversation.calledCall();
    const link = call && h("a", { href: `#/call/${call.call_id}` }, "See the call");
    fill(this.hint, problem && problemBox(problem), h("div", { class: "actions" }, close, link));
    if (!problem) setTimeout(() => this.removeUnlessUsed(), CLOSES_AFTER_MS);
  }

  /** Remove the panel, or as soon as the focus has left its button. The panel itself has it since it opened. */
  removeUnlessUsed() {
    const { node } = this;
    const used = (focused) => focused !== node && node.contains(focused);
    if (!used(document.activeElement)) return node.remove();
    node.addEventListener("focusout", ({ relatedTarget }) => used(relatedTarget) || node.remove());
  }
}

/** Make a button that shows and hides something; `change` is called with whether it is shown. */
function expander(text, props, expanded, change) {
  const onclick = () => {
    expanded = !expanded;
    node.setAttribute("aria-expanded", String(expanded));
    change(expanded);
  };
  const node = h("button", { type: "button", "aria-expanded": String(expanded), ...props, onclick }, text);
  return node;
}

/** Make a bar for a level, in decibels below full scale: -60 is empty. */
function meter(label, text) {
  const bar = h("span");
  const node = h(
    "div",
    { role: "meter", "aria-label": label, "aria-valuemin": -60, "aria-valuemax": 0, "aria-valuenow": -60 },
    bar,
  );
  let level = 0;
  let announcedAt = 0;
  const set = (peak) => {
    level = Math.max(peak, level * 0.8); // falls slowly, so that it can be seen
    const decibels = Math.max(-60, Math.round(20 * Math.log10(level || 1e-9)));
    bar.style.transform = `scaleX(${(60 + decibels) / 60})`;
    if (Date.now() - announcedAt < 250) return;
    announcedAt = Date.now();
    node.setAttribute("aria-valuenow", decibels);
  };
  return { node: h("div", { class: "level" }, h("span", { class: "fine" }, text), node), set };
}
