// The worklet that plays the other side: decodes what comes from the network, evens out when it comes
// (the jitter buffer), and counts what was late or too much.

import { LINEAR } from "./g711.js";
import { Resampler } from "./resample.js";

const LEAST_MS = 60; // held before it begins to play
const MOST_MS = 200; // held after late audio has made it wait longer
const SPARE_MS = 120; // more than is wanted; beyond it the oldest is dropped
const CALM_MS = 15000; // without an underrun, after which it waits less again
const REPORT_MS = 100;

class Playback extends AudioWorkletProcessor {
  /** processorOptions: `{rate: 8000 | 16000, format: "mulaw" | "pcm_s16le"}` */
  constructor({ processorOptions: { rate, format } }) {
    super();
    this.resampler = new Resampler(rate, sampleRate);
    this.mulaw = format === "mulaw";
    this.queue = [];
    this.queued = 0; // samples, at the context's rate
    this.wanted = LEAST_MS;
    this.playing = false;
    this.calm = this.since = this.peak = this.underruns = this.droppedMs = 0;
    this.port.onmessage = ({ data }) => this.take(data);
  }

  take(buffer) {
    const samples = this.mulaw
      ? Float32Array.from(new Uint8Array(buffer), (code) => LINEAR[code] / 32768)
      : Float32Array.from(new Int16Array(buffer, 0, buffer.byteLength >> 1), (sample) => sample / 32768);
    const piece = this.resampler.push(samples);
    this.queue.push(piece);
    this.queued += piece.length;
    const most = this.samples(this.wanted + SPARE_MS);
    if (this.queued > most) this.drop(this.queued - this.samples(this.wanted));
  }

  samples(ms) {
    return Math.round((ms * sampleRate) / 1000);
  }

  drop(count) {
    this.droppedMs += Math.round((count * 1000) / sampleRate);
    this.read(new Float32Array(count));
  }

  /** Fills `out` from the queue; how much there was. */
  read(out) {
    let at = 0;
    while (at < out.length && this.queue.length) {
      const piece = this.queue[0];
      const part = piece.subarray(0, out.length - at);
      out.set(part, at);
      at += part.length;
      if (part.length === piece.length) this.queue.shift();
      else this.queue[0] = piece.subarray(part.length);
    }
    this.queued -= at;
    return at;
  }

  process(_, [[out]]) {
    if (!this.playing) this.playing = this.queued >= this.samples(this.wanted);
    if (this.playing && this.read(out) < out.length) {
      this.playing = false;
      this.underruns++;
      this.calm = 0;
      this.wanted = Math.min(MOST_MS, this.wanted + 20);
    }
    for (const sample of out) this.peak = Math.max(this.peak, Math.abs(sample));
    const ms = (out.length * 1000) / sampleRate;
    this.calm += ms;
    if (this.calm > CALM_MS && this.wanted > LEAST_MS) [this.calm, this.wanted] = [0, this.wanted - 20];
    this.since += ms;
    if (this.since >= REPORT_MS) this.report();
    return true;
  }

  report() {
    const { peak, underruns, droppedMs } = this;
    const bufferedMs = Math.round((this.queued * 1000) / sampleRate);
    this.port.postMessage({ peak, underruns, droppedMs, bufferedMs });
    this.since = this.peak = 0;
  }
}

registerProcessor("playback", Playback);
