// The transcript of a call with a hosted voice, as it grows, and a box to have something said. It stays as it is
// while the rest of the call's page is drawn anew, so that nobody loses what they type.

import { mergeCalls, onEvents } from "../api/feed.js";
import { otherPartyName } from "../api/labels.js";
import { create, del, get, post } from "../api/requests.js";
import { Speech, clockText, isHosted } from "../api/speech.js";
import { button, problemToast, toast } from "../widgets/button.js";
import { confirm } from "../widgets/dialog.js";
import { fill, h, setText, syncRows } from "../widgets/dom.js";
import { field, form } from "../widgets/form.js";
import { badge, card, problemBox } from "../widgets/ui.js";

const MAX_TEXT = 2000; // characters of one text

/**
 * Make the card of what is said in a call.
 * @returns {{node: Element, draw: (call) => void}}
 */
export function speechCard(callId, signal) {
  const list = new SpeechCard(callId, signal);
  onEvents((events) => list.take(events.filter((event) => event.call_id === callId)), signal);
  return { node: list.node, draw: (call) => list.draw(call) };
}

class SpeechCard {
  constructor(callId, signal) {
    this.signal = signal;
    this.path = `call/${encodeURIComponent(callId)}`;
    this.speech = new Speech((after) => get(`${this.path}/transcript`, { after }, signal));
    this.lines = h("ol");
    const log = { class: "transcript", role: "log", "aria-live": "polite", "aria-label": "Transcript", tabindex: 0 };
    this.log = h("div", log, this.lines);
    this.none = h("p", { class: "fine" }, "Nothing was said yet.");
    this.partial = h("p", { class: "fine partial" });
    this.problem = h("div");
    this.controls = h("div", {}, this.sayForm(), this.keysForm());
    this.after = h("div", { class: "actions" });
    this.offer = h("div");
    this.talk = card("What is said", this.none, this.log, this.partial, this.problem, this.controls, this.after);
    this.talk.hidden = true;
    this.node = h("div", {}, this.offer, this.talk);
  }

  draw(call) {
    this.call = call;
    this.drawOffer();
    if (!isHosted(call) || !call.answered_at) return;
    const first = this.talk.hidden;
    this.talk.hidden = false;
    this.controls.hidden = call.state !== "active";
    const remove = () => button("Delete transcript", () => this.forget(), { class: "small danger" });
    if (call.state !== "active") fill(this.after, remove());
    if (first || this.controls.hidden) this.refresh();
  }

  /** Offer to answer a ringing call by text, if the account may. */
  async drawOffer() {
    const rings = this.call.state === "ringing" && this.call.direction === "inbound";
    if (rings === this.offered) return;
    this.offered = rings;
    const may = rings && (await get("account", {}, this.signal).catch(() => ({}))).hosted_voice;
    if (rings !== this.offered) return;
    const name = otherPartyName(this.call);
    const accept = async () => mergeCalls([await post(`${this.path}/accept`, { voice: "hosted" })]);
    const failed = (problem) => {
      if (problem.body?.call) mergeCalls([problem.body.call]);
      problemToast(problem);
    };
    fill(
      this.offer,
      may &&
        card(
          "Answer by text",
          h("p", {}, "A hosted voice says what you type, and you read what the caller says."),
          h("div", { class: "actions" }, [
            button("Answer by text", accept, { class: "primary", label: `Answer by text: ${name}`, failed }),
          ]),
        ),
    );
  }

  take(events) {
    const news = events.filter((event) => this.speech.take(event)).length;
    if (!isHosted(this.call)) return;
    if (news) this.refresh();
    else if (events.length) this.drawLines();
  }

  async refresh() {
    try {
      await this.speech.refresh();
      fill(this.problem);
    } catch (problem) {
      if (problem.name === "AbortError") return;
      const again = h("button", { type: "button", onclick: () => this.refresh() }, "Try again");
      fill(this.problem, problemBox(problem, again));
    }
    this.drawLines();
  }

  drawLines() {
    const lines = this.speech.lines();
    const { log } = this;
    const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
    syncRows(this.lines, lines, ({ key }) => key, lineRow);
    this.none.hidden = lines.length > 0;
    log.hidden = !lines.length;
    setText(this.partial, this.speech.partial && `Caller: ${this.speech.partial}…`);
    if (atEnd) log.scrollTop = log.scrollHeight; // else the reader has scrolled up
  }

  sayForm() {
    const words = field({
      name: "text",
      label: "Say",
      required: true,
      hint: "Enter sends. The caller's voice stops it.",
      attributes: { maxlength: MAX_TEXT, autocomplete: "off", spellcheck: "true" },
    });
    const send = async ({ text }) => {
      words.input.value = "";
      try {
        this.speech.given(text, await create(`${this.path}/say`, { text }));
      } catch (problem) {
        words.input.value ||= text;
        throw problem;
      }
      this.drawLines();
    };
    const stop = button("Stop speaking", () => post(`${this.path}/clear`));
    return form({ fields: [words], submit: "Say it", doing: "Sending…", send, actions: [stop] });
  }

  keysForm() {
    const keys = field({
      name: "digits",
      label: "Keys",
      required: true,
      hint: "0–9 * # A–D, and w for a pause.",
      attributes: { maxlength: 64, inputmode: "tel" },
    });
    const send = async ({ digits }) => {
      await post(`${this.path}/dtmf`, { digits });
      keys.input.value = "";
      toast(`Keys ${digits} are on their way.`);
    };
    return h("details", {}, h("summary", {}, "Press keys"), form({ fields: [keys], submit: "Press", send }));
  }

  async forget() {
    const sure = await confirm(
      "Delete the transcript?",
      "What was said in this call is deleted here. Events that told of it stay until they are seven days old.",
      "Delete the transcript",
    );
    if (!sure) return;
    await del(`${this.path}/transcript`);
    this.speech.forget();
    this.drawLines();
    toast("The transcript is deleted.");
  }
}

/** Make the row of a line, for `syncRows`. */
function lineRow(line) {
  const at = h("span", { class: "fine num at" });
  const text = h("span", { class: "said" });
  const note = h("span", { class: "fine" });
  const [name, tone] = line.speaker === "caller" ? ["Caller", "busy"] : ["Agent", "good"];
  const update = ({ at: ms, text: said, note: told }) => {
    setText(at, ms == null ? "" : clockText(ms));
    setText(text, said);
    setText(note, told ?? "");
  };
  update(line);
  return { node: h("li", {}, at, badge(name, tone), text, note), update };
}
