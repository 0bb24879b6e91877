// The worklet that plays the other side: decodes its frames, evens out their delays (the jitter buffer), and
// counts gaps and what was dropped.

import { LINEAR } from "./g711.js";
import { Resampler } from "./resample.js";

const MIN_BUFFER_MS = 60; // filled before it begins to play
const MAX_BUFFER_MS = 200; // filled after late audio has made it wait longer
const SPARE_MS = 120; // above the target; beyond it the oldest is dropped
const STEP_MS = 20; // by which the target moves
const CALM_MS = 15000; // without a gap, after which the target is lowered
const REPORT_MS = 100;

class Playback extends AudioWorkletProcessor {
  /** Read processorOptions: `{rate: 8000 | 16000, format: "mulaw" | "pcm_s16le"}` */
  constructor({ processorOptions: { rate, format } }) {
    super();
    this.resampler = new Resampler(rate, sampleRate);
    this.mulaw = format === "mulaw";
    this.queue = [];
    this.queued = 0; // samples, at the context's rate
    this.targetMs = MIN_BUFFER_MS;
    this.playing = false;
    this.calmMs = this.unreportedMs = this.peak = this.underruns = this.droppedMs = 0;
    this.port.onmessage = ({ data }) => this.enqueue(data);
  }

  enqueue(buffer) {
    const samples = this.mulaw
      ? Float32Array.from(new Uint8Array(buffer), (code) => LINEAR[code] / 32768)
      : Float32Array.from(new Int16Array(buffer, 0, buffer.byteLength >> 1), (sample) => sample / 32768);
    const piece = this.resampler.push(samples);
    this.queue.push(piece);
    this.queued += piece.length;
    const limit = this.samples(this.targetMs + SPARE_MS);
    if (this.queued > limit) this.drop(this.queued - this.samples(this.targetMs));
  }

  samples(ms) {
    return Math.round((ms * sampleRate) / 1000);
  }

  drop(count) {
    this.droppedMs += Math.round((count * 1000) / sampleRate);
    this.read(new Float32Array(count));
  }

  /** Fill `out` from the queue; return how many samples there were. */
  read(out) {
    let filled = 0;
    while (filled < out.length && this.queue.length) {
      const piece = this.queue[0];
      const part = piece.subarray(0, out.length - filled);
      out.set(part, filled);
      filled += part.length;
      if (part.length === piece.length) this.queue.shift();
      else this.queue[0] = piece.subarray(part.length);
    }
    this.queued -= filled;
    return filled;
  }

  process(_, [[out]]) {
    if (!this.playing) this.playing = this.queued >= this.samples(this.targetMs);
    if (this.playing && this.read(out) < out.length) {
      this.playing = false;
      this.underruns++;
      this.calmMs = 0;
      this.targetMs = Math.min(MAX_BUFFER_MS, this.targetMs + STEP_MS);
    }
    for (const sample of out) this.peak = Math.max(this.peak, Math.abs(sample));
    const ms = (out.length * 1000) / sampleRate;
    this.calmMs += ms;
    if (this.calmMs > CALM_MS && this.targetMs > MIN_BUFFER_MS)
      [this.calmMs, this.targetMs] = [0, this.targetMs - STEP_MS];
    this.unreportedMs += ms;
    if (this.unreportedMs >= REPORT_MS) this.report();
    return true;
  }

  report() {
    const { peak, underruns, droppedMs } = this;
    const bufferedMs = Math.round((this.queued * 1000) / sampleRate);
    this.port.postMessage({ peak, underruns, droppedMs, bufferedMs });
    this.unreportedMs = this.peak = 0;
  }
}

registerProcessor("playback", Playback);
