// The transcript of a call with a hosted voice, as the server has it, with what is known before
// it gets there: texts that wait to be spoken, and half a sentence of the caller.

const MAX_LINES = 500; // that are kept to be shown

/** Words for why a text was not heard to its end. */
export const INTERRUPTIONS = {
  barge_in: "the caller spoke",
  cleared: "stopped",
  replaced: "replaced by another text",
  call_over: "the call ended",
  failed: "it could not be spoken",
  host_lost: "the voice host was lost",
};

/** Return whether a hosted voice speaks in a call. */
export const isHosted = (call) => call?.voice === "hosted";

/** The transcript of one call. `read` fetches `{entries, next}` after a place. */
export class Speech {
  /** @param {(after: number) => Promise<{entries: object[], next: number}>} read */
  constructor(read) {
    this.read = read;
    this.next = 0;
    this.entries = [];
    this.partial = "";
    this.utterances = new Map(); // by id: what was given to be spoken here and is in no entry yet
    this.reading = null;
  }

  /** Fetch what is new. Called again meanwhile, it looks once more after that. */
  refresh() {
    this.again = true;
    this.reading ??= this.readAll().finally(() => (this.reading = null));
    return this.reading;
  }

  async readAll() {
    while (this.again) {
      this.again = false;
      const { entries, next } = await this.read(this.next);
      this.next = next;
      if (!entries.length) continue;
      this.again = true; // there may be another page
      this.entries.push(...entries);
      this.entries.splice(0, this.entries.length - MAX_LINES);
      for (const { utterance_id: id } of entries) this.utterances.delete(id);
    }
  }

  /** Note what was given to be spoken, as `POST …/say` answers. */
  given(text, { utterance_id: id, state }) {
    const known = this.utterances.get(id);
    if (this.entries.some((entry) => entry.utterance_id === id)) return;
    this.utterances.set(id, { state, ...known, text });
  }

  /** Take an event; return whether the transcript has something new. */
  take({ type, data }) {
    if (type === "call.transcript") {
      this.partial = data.final ? "" : data.text;
      return data.final;
    }
    if (type !== "call.speech") return false;
    const known = this.utterances.get(data.utterance_id);
    if (known) this.utterances.set(data.utterance_id, { ...known, state: data.state, why: data.why });
    else if (data.state === "started") this.utterances.set(data.utterance_id, { state: data.state });
    if (data.state === "started") return false;
    if (!known?.text) this.utterances.delete(data.utterance_id);
    return true;
  }

  /** Return the lines to show, in order: `{key, speaker, text, at?, note?}`; times are ms since the answer. */
  lines() {
    const said = this.entries.map((entry) => ({
      key: `s${entry.sequence}`,
      speaker: entry.speaker,
      text: entry.text,
      at: entry.started_ms,
      note: entry.interrupted ? "cut short" : undefined,
    }));
    const given = [...this.utterances].map(([id, { text, state, why }]) => ({
      key: id,
      speaker: "agent",
      text: text ?? "…",
      note: noteOf(state, why),
    }));
    return [...said, ...given].slice(-MAX_LINES);
  }

  /** Forget the entries, as the server has. */
  forget() {
    this.entries = [];
    this.utterances.clear();
  }
}

function noteOf(state, why) {
  if (state === "interrupted") return `not heard: ${INTERRUPTIONS[why] ?? "cut short"}`;
  return { queued: "waits", started: "is spoken", finished: "heard" }[state] ?? state;
}

/** Return a time since the answer as `1:05`. */
export function clockText(ms) {
  const seconds = Math.floor(ms / 1000);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}
