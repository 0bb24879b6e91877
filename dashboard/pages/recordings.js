// The recordings of a call: begun and ended by hand, played from a signed URL, deleted.

import { RECORDING_FAILURES, RECORDING_STATES, recordingVerbs } from "../api/callline.js";
import { mergeCalls } from "../api/feed.js";
import { del, get, getAgain, post } from "../api/requests.js";
import { formatDuration, formatTime } from "../api/time.js";
import { button, problemToast, toast } from "../widgets/button.js";
import { timeElement } from "../widgets/clock.js";
import { confirm } from "../widgets/dialog.js";
import { fill, h, syncRows } from "../widgets/dom.js";
import { badge, card, problemBox } from "../widgets/ui.js";

/** Text of the button of each verb, and its class. */
const BUTTONS = {
  start: ["Start recording", ""],
  pause: ["Pause recording", ""],
  resume: ["Resume recording", "primary"],
  stop: ["Stop recording", "danger"],
};
const STATES = { on: ["bad", "The call is being recorded"], paused: ["warn", "The recording is paused"] };

/**
 * Make the card of a call's recordings. `refresh` reads them again.
 * @returns {{node: Element, draw: (call) => void, refresh: () => Promise}}
 */
export function recordingsCard(callId, signal) {
  const made = new RecordingsCard(callId, signal);
  return { node: made.node, draw: (call) => made.draw(call), refresh: () => made.refresh() };
}

class RecordingsCard {
  constructor(callId, signal) {
    this.signal = signal;
    this.path = `call/${encodeURIComponent(callId)}`;
    this.state = h("p", { role: "status" });
    this.actions = h("div", { class: "actions" });
    this.beep = h("input", { type: "checkbox", checked: true });
    this.announce = h("label", { class: "toggle" }, this.beep, "The far end hears a beep");
    this.problem = h("div");
    this.list = h("ul", { class: "rows", "aria-label": "Recordings" });
    this.node = card("Recordings", h("div", { class: "stack" }, this.state, this.actions, this.problem, this.list));
    this.node.hidden = true;
  }

  draw(call) {
    const verbs = recordingVerbs(call);
    this.active = verbs.length > 0;
    this.show();
    const drawn = JSON.stringify([verbs, call.recording, call.state]);
    if (drawn === this.drawn) return;
    this.drawn = drawn;
    if (call.answered_at) this.refresh();
    const [tone, text] = STATES[call.recording?.state] ?? [];
    this.state.hidden = !text;
    fill(this.state, text && badge(text, tone));
    const hadFocus = this.actions.contains(document.activeElement);
    fill(
      this.actions,
      verbs.map((verb) => this.button(verb)),
      verbs.includes("start") && this.announce,
    );
    if (hadFocus) this.actions.querySelector("button")?.focus();
  }

  show() {
    this.node.hidden = !this.active && !this.list.childElementCount && !this.problem.childElementCount;
  }

  button(action) {
    const send = async () => {
      const announce = this.beep.checked ? "beep" : "none";
      const body = action === "start" ? { action, announce } : { action };
      mergeCalls([await post(`${this.path}/recording`, body)]);
    };
    // One after the other, as they are pressed: a stop must not overtake the resume before it.
    const act = () => (this.sending = (this.sending ?? Promise.resolve()).catch(() => {}).then(send));
    const failed = (problem) => {
      if (problem.body?.call) mergeCalls([problem.body.call]);
      problemToast(problem);
    };
    return button(BUTTONS[action][0], act, { class: BUTTONS[action][1], failed });
  }

  /** Read the list again, one answer at a time: an older one must not win. */
  refresh() {
    return (this.reading = (this.reading ?? Promise.resolve()).then(() => this.read()));
  }

  async read() {
    try {
      const { recordings } = await getAgain(`${this.path}/recordings`, this.signal);
      fill(this.problem);
      const row = (recording) => recordingRow(recording, () => this.refresh());
      syncRows(this.list, recordings, (each) => each.recording_id, row);
    } catch (problem) {
      if (problem.name === "AbortError" || problem.status === 401) return;
      const again = h("button", { type: "button", onclick: () => this.refresh() }, "Try again");
      fill(this.problem, problemBox(problem, again));
    }
    this.show();
  }
}

/** Make the row of a recording, for `syncRows`. `gone` is called once it is deleted. */
function recordingRow(recording, gone) {
  const path = `recording/${encodeURIComponent(recording.recording_id)}`;
  const name = `the recording of ${formatTime(recording.started_at)}`;
  const about = h("div");
  const actions = h("div", { class: "actions" });
  const player = h("div", { class: "player copyable" });
  const play = button("Play", () => load(path, name, player), { class: "small", label: `Play ${name}` });
  const remove = button("Delete", () => forget(path, name, gone), { class: "small danger", label: `Delete ${name}` });
  let drawn;
  const update = (now) => {
    if (JSON.stringify(now) === drawn) return;
    drawn = JSON.stringify(now);
    fill(about, describe(now));
    fill(actions, now.state === "ready" && play, ["ready", "failed"].includes(now.state) && remove);
  };
  update(recording);
  return { node: h("li", { class: "row two" }, about, actions, player), update };
}

function describe({ state, started_at: at, duration_ms: ms, lost_ms: lost, why, deleted_at: until }) {
  const [tone, text] = RECORDING_STATES[state] ?? ["quiet", state];
  return [
    h(
      "p",
      {},
      timeElement(at),
      " ",
      badge(text, tone),
      ms != null && h("span", { class: "num" }, ` ${formatDuration(ms)}`),
    ),
    why && h("p", { class: "fine" }, RECORDING_FAILURES[why] ?? why),
    lost > 0 && h("p", { class: "fine" }, `${(lost / 1000).toFixed(1)} s of it were lost, and are silence.`),
    state === "ready" && until && h("p", { class: "fine" }, `Kept until ${formatTime(until)}.`),
  ];
}

/** Put a player of the recording into `place`, and begin to play. Its URL is good for some minutes. */
async function load(path, name, place) {
  const { url } = await get(path);
  const failed = () => fill(place, h("p", { class: "error", role: "alert" }, "It cannot be played: press Play again."));
  const audio = h("audio", { controls: true, src: url, "aria-label": name, onerror: failed });
  fill(place, audio, h("a", { href: url, download: "", referrerpolicy: "no-referrer" }, "Download"));
  audio.play().catch(() => {}); // a browser that wants another click has the player's own button
}

async function forget(path, name, gone) {
  const text = "Its audio is deleted at once and for good. Events that told of it stay until they are seven days old.";
  if (!(await confirm(`Delete ${name}?`, text, "Delete the recording"))) return;
  await del(path);
  toast("The recording is deleted.");
  await gone();
}
