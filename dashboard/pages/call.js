// One call, as it is now: its state and what to do about it, its parties, a timeline with what happened meanwhile,
// its audio, and all of it as JSON.

import { changesLine, momentOf } from "../api/callline.js";
import { calls, mergeCalls, onCalls, onEvents, recentEvents } from "../api/feed.js";
import { CALL_STATES, explainEnding, isTestCall, otherPartyName } from "../api/labels.js";
import { formatNumber } from "../api/phone.js";
import { get, getAgain } from "../api/requests.js";
import { explainSipCode } from "../api/sipcodes.js";
import { isHosted } from "../api/speech.js";
import { formatTime } from "../api/time.js";
import { callActions, callDuration, stateBadge } from "../widgets/callrow.js";
import { timeElement } from "../widgets/clock.js";
import { copyable, jsonDetails } from "../widgets/copyable.js";
import { fill, h, setText } from "../widgets/dom.js";
import { badge, card, facts, problemBox, skeleton } from "../widgets/ui.js";
import { recordingsCard } from "./recordings.js";
import { soundCard } from "./sound.js";
import { speechCard } from "./speech.js";
import { transferCard } from "./transfer.js";

const LOOK_AGAIN_MS = 7000; // an agent that does not answer is given up after 5 s

export function show(callId, signal) {
  const title = h("h1", { tabindex: -1 }, "Call");
  const top = h("div");
  const speech = speechCard(callId, signal);
  const line = transferCard(callId);
  const recordings = recordingsCard(callId, signal);
  const sound = soundCard(callId, signal);
  const body = h("div", {}, skeleton(6));
  const node = h(
    "div",
    {},
    h("p", {}, h("a", { href: "#/calls" }, "← Calls")),
    h("header", { class: "top" }, h("div", {}, title)),
    top,
    line.node,
    recordings.node,
    speech.node,
    sound.node,
    body,
  );
  const view = new CallView(title, top, body);
  const path = `call/${encodeURIComponent(callId)}`;
  const load = async () => {
    mergeCalls([await get(path, {}, signal)]);
    draw();
  };
  const explain = (problem) => {
    if (problem.name !== "AbortError") fill(body, problemBox(problem, h("a", { href: "#/calls" }, "To all calls")));
  };
  let waiting;
  const draw = () => {
    const call = calls.get(callId);
    view.draw(call);
    for (const part of call ? [line, recordings, speech] : []) part.draw(call);
    sound.draw(call);
    // No event tells that an agent is dialled in vain, or reached after all.
    if (call?.state === "active" && !signal.aborted) waiting ??= setTimeout(lookAgain, LOOK_AGAIN_MS);
  };
  const lookAgain = () => {
    waiting = undefined;
    load().catch(draw); // what is shown stays, with its buttons; it is looked at again later
  };
  signal.addEventListener("abort", () => clearTimeout(waiting));
  onCalls((ids) => ids.has(callId) && draw(), signal);
  // Such events have no call in them, and do not raise its version. One answer at a time: an older one must not win.
  let looking = Promise.resolve();
  const lookAtLine = async () => {
    mergeCalls([await getAgain(path, signal)]);
    draw();
    if (recordings.node.isConnected) await recordings.refresh();
  };
  onEvents((events) => {
    const mine = events.filter((event) => event.call_id === callId);
    if (mine.some(momentOf)) view.draw(calls.get(callId), true);
    if (mine.some(changesLine)) looking = looking.then(lookAtLine).catch(draw);
  }, signal);
  load().catch(explain);
  return node;
}

/** Return all that the drawing of a call depends on. */
const drawnOf = ({ version, audio, agent_detail: agent, voice_detail: voice, hold, transfer, recording }) =>
  JSON.stringify([version, Boolean(audio), agent, voice, hold, transfer, recording]);

/** Make a line about the SIP answer of the far end, if it refused; its remedy, unless there is one already. */
function farEndsAnswer({ sip_code: code }, remedy) {
  if (!code || code < 300) return null;
  const [name, sipRemedy] = explainSipCode(code);
  const number = h("span", { class: "num" }, `SIP ${code}`);
  return h("p", {}, "The far end answered ", number, `: ${name}. `, !remedy && sipRemedy);
}

class CallView {
  constructor(title, top, body) {
    this.title = title;
    this.top = top;
    this.body = body;
  }

  draw(call, forced = false) {
    if (!call || (this.drawn === drawnOf(call) && !forced)) return;
    const hadFocus = [this.top, this.body].some((part) => part.contains(document.activeElement));
    const open = this.body.querySelector("details")?.open;
    this.drawn = drawnOf(call);
    const title = `Call ${call.direction === "inbound" ? "from" : "to"} ${otherPartyName(call)}`;
    setText(this.title, isTestCall(call) ? otherPartyName(call) : title);
    fill(this.top, this.stateCard(call));
    fill(
      this.body,
      this.partiesCard(call),
      this.timelineCard(call),
      this.audioCard(call),
      jsonDetails({ ...call, audio: call.audio && { ...call.audio, token: "…" } }),
    );
    this.body.querySelector("details").open = Boolean(open);
    if (hadFocus) (this.top.querySelector("button") ?? this.title).focus();
  }

  stateCard(call) {
    const [explanation, remedy] = explainEnding(call);
    return card(
      "State",
      h("p", { class: "big" }, h("span", { role: "status" }, stateBadge(call)), " ", callDuration(call)),
      explanation && h("p", { class: "strong" }, explanation),
      remedy && h("p", {}, remedy),
      call.state === "ringing" && call.voice_detail && h("p", {}, call.voice_detail),
      farEndsAnswer(call, remedy),
      h("div", { class: "actions" }, callActions(call)),
    );
  }

  partiesCard(call) {
    const number = (text) => copyable(formatNumber(text), text);
    const id = (text, label) => text && copyable(h("code", {}, text), text, label);
    return card(
      "Parties",
      facts(
        ["From", isTestCall(call) ? otherPartyName(call) : number(call.from)],
        ["To", number(call.to)],
        call.line !== call.to && call.line !== call.from && ["Line", number(call.line)],
        ["Caller's name", call.caller_name],
        ["Forwarded from", call.forwarded_from && number(call.forwarded_from)],
        ["Answered by", answeredBy(call)],
        ["Direction", call.direction],
        ["Auto-answer", call.direction === "inbound" ? (call.auto_answer ? "on" : "off") : null],
        ["Trunk", call.trunk && h("a", { href: `#/trunk/${call.trunk}` }, call.trunk)],
        call.parent_call_id && [
          "Transfer of",
          h("a", { href: `#/call/${call.parent_call_id}` }, "the call that is transferred"),
        ],
        ["Provider", call.provider],
        ["Call id", id(call.call_id, "the call id")],
        ["Provider's id", id(call.provider_call_id, "the provider's call id")],
        call.sip_headers && ["SIP headers", h("code", {}, JSON.stringify(call.sip_headers))],
        Object.keys(call.metadata).length > 0 && ["Metadata", h("code", {}, JSON.stringify(call.metadata))],
      ),
    );
  }

  timelineCard(call) {
    const steps = call.history.map(({ at, state, end_reason: reason }) => [
      at,
      CALL_STATES[state]?.[1] ?? state,
      CALL_STATES[state]?.[0],
      reason && explainEnding({ ...call, state, end_reason: reason })[0],
    ]);
    const moments = recentEvents
      .filter((event) => event.call_id === call.call_id && momentOf(event))
      .map((event) => [event, momentOf(event)])
      .map(([{ at }, [tone, text, reason]]) => [at, text, tone, reason]);
    const all = [...steps, ...moments].sort(([a], [b]) => (a < b ? -1 : 1));
    return card(
      "Timeline",
      h(
        "ol",
        { class: "timeline" },
        all.map(([at, text, tone, reason]) =>
          h("li", {}, timeElement(at), badge(text, tone), reason && h("span", { class: "fine" }, reason)),
        ),
      ),
      h(
        "p",
        { class: "fine" },
        "Keys, holds, transfers and recordings are shown of the last minutes, or since this page is open.",
      ),
    );
  }

  audioCard(call) {
    if (!call.audio) return card("Audio", h("p", {}, "The call is over: its audio socket is closed."));
    const { url, format, sample_rate: rate, expires_at: until } = call.audio;
    return card(
      "Audio",
      h(
        "p",
        {},
        call.state === "active"
          ? isHosted(call)
            ? "A hosted voice is on it; talking here takes it over."
            : "The agent's socket is open to one connection at a time; talking here takes it over."
          : "The agent may connect now; sound flows from the answer on.",
      ),
      facts(
        ["Socket", copyable(h("code", {}, url), url, "the audio URL")],
        ["Format", `${format}, ${rate} Hz, mono`],
        ["Token", copyable(`valid until ${formatTime(until)}`, call.audio.token, "the audio token")],
      ),
    );
  }
}

/** Say who answered a call that was dialled, if that is known. */
function answeredBy({ answered_by: by, greeting_ended_by: ended }) {
  if (!by) return null;
  const who = { human: "a person", machine: "a machine", fax: "a fax", unknown: "somebody who said nothing" }[by];
  return ended ? `${who}; its greeting is over (${ended})` : who;
}
