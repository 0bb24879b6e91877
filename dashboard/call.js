// One call, as it is now: who, how it ended and what to do about it, its story with the keys that were
// pressed, its sound, and all of it as JSON.

import { get } from "./api.js";
import { callActions, duration, stateBadge } from "./callrow.js";
import { fill, h, say } from "./dom.js";
import { calls, learn, onCalls, onEvents, recent } from "./feed.js";
import { pretty } from "./phone.js";
import { timeOf, when } from "./time.js";
import { badge, card, copyable, facts, problemBox, raw, skeleton } from "./ui.js";
import { STATES, ending, isTestCall, otherParty, sipCode } from "./words.js";

export function show(callId, signal) {
  const title = h("h1", { tabindex: -1 }, "Call");
  const body = h("div", {}, skeleton(6));
  const node = h(
    "div",
    {},
    h("p", {}, h("a", { href: "#/calls" }, "← Calls")),
    h("header", { class: "top" }, h("div", {}, title)),
    body,
  );
  const view = new CallView(title, body);
  const refresh = async () => {
    try {
      learn([await get(`call/${encodeURIComponent(callId)}`, {}, signal)]);
      view.draw(calls.get(callId));
    } catch (problem) {
      if (problem.name !== "AbortError") fill(body, problemBox(problem, h("a", { href: "#/calls" }, "To all calls")));
    }
  };
  onCalls((ids) => ids.has(callId) && view.draw(calls.get(callId)), signal);
  onEvents(
    (events) =>
      events.some((event) => event.type === "call.dtmf" && event.call_id === callId) &&
      view.draw(calls.get(callId), true),
    signal,
  );
  refresh();
  return node;
}

class CallView {
  constructor(title, body) {
    this.title = title;
    this.body = body;
  }

  draw(call, again = false) {
    if (!call || (this.version === call.version && !again && this.audio === Boolean(call.audio))) return;
    const held = this.body.contains(document.activeElement);
    const open = this.body.querySelector("details")?.open;
    this.version = call.version;
    this.audio = Boolean(call.audio);
    const who = `Call ${call.direction === "inbound" ? "from" : "to"} ${otherParty(call)}`;
    say(this.title, isTestCall(call) ? otherParty(call) : who);
    fill(
      this.body,
      this.standing(call),
      this.parties(call),
      this.story(call),
      this.sound(call),
      raw({ ...call, audio: call.audio && { ...call.audio, token: "…" } }),
    );
    this.body.querySelector("details").open = Boolean(open);
    if (held) (this.body.querySelector("button") ?? this.title).focus();
  }

  standing(call) {
    const [what, remedy] = ending(call);
    const [name, todo] = call.sip_code ? sipCode(call.sip_code) : [];
    return card(
      "State",
      h("p", { class: "big" }, h("span", { role: "status" }, stateBadge(call)), " ", duration(call)),
      what && h("p", { class: "strong" }, what),
      remedy && h("p", {}, remedy),
      name && h("p", {}, h("span", { class: "num" }, `SIP ${call.sip_code}`), ` ${name}. ${todo}`),
      h("div", { class: "actions" }, callActions(call)),
    );
  }

  parties(call) {
    const number = (text) => copyable(pretty(text), text);
    const id = (text, what) => text && copyable(h("code", {}, text), text, what);
    return card(
      "Parties",
      facts(
        ["From", isTestCall(call) ? otherParty(call) : number(call.from)],
        ["To", number(call.to)],
        call.line !== call.to && call.line !== call.from && ["Line", number(call.line)],
        ["Forwarded from", call.forwarded_from && number(call.forwarded_from)],
        ["Direction", call.direction],
        ["Auto-answer", call.direction === "inbound" ? (call.auto_answer ? "on" : "off") : null],
        ["Provider", call.provider],
        ["Call id", id(call.call_id, "the call id")],
        ["Provider's id", id(call.provider_call_id, "the provider's call id")],
        Object.keys(call.metadata).length > 0 && ["Metadata", h("code", {}, JSON.stringify(call.metadata))],
      ),
    );
  }

  story(call) {
    const steps = call.history.map(({ at, state, end_reason: reason }) => [
      at,
      STATES[state]?.[1] ?? state,
      STATES[state]?.[0],
      reason,
    ]);
    const keys = recent
      .filter((event) => event.type === "call.dtmf" && event.call_id === call.call_id)
      .map((event) => [event.at, `Keys ${event.data.digits}`, "busy", null]);
    const all = [...steps, ...keys].sort(([a], [b]) => (a < b ? -1 : 1));
    return card(
      "Timeline",
      h(
        "ol",
        { class: "timeline" },
        all.map(([at, text, tone, reason]) =>
          h("li", {}, timeOf(at), badge(text, tone), reason && h("code", {}, reason)),
        ),
      ),
      h("p", { class: "fine" }, "Keys are shown that were pressed in the last minutes, or while this page was open."),
    );
  }

  sound(call) {
    if (!call.audio)
      return card("Audio", h("p", {}, "The call is over: its audio socket is closed. Nothing is recorded."));
    const { url, format, sample_rate: rate, expires_at: until } = call.audio;
    return card(
      "Audio",
      h(
        "p",
        {},
        call.state === "active"
          ? "The agent's socket is open to one connection at a time; talking here takes it over."
          : "The agent may connect now; sound flows from the answer on.",
      ),
      facts(
        ["Socket", copyable(h("code", {}, url), url, "the audio URL")],
        ["Format", `${format}, ${rate} Hz, mono`],
        ["Token", copyable(`valid until ${when(until)}`, call.audio.token, "the audio token")],
      ),
    );
  }
}
