// The worklet of the microphone: resamples its sound to the telephone's rate, and posts it in frames of 20 ms
// as they are sent. Without a microphone, or muted, the frames are silence.

import { encode } from "./g711.js";
import { Resampler } from "./resample.js";

class Capture extends AudioWorkletProcessor {
  /** Read processorOptions: `{rate: 8000 | 16000, format: "mulaw" | "pcm_s16le"}` */
  constructor({ processorOptions: { rate, format } }) {
    super();
    this.resampler = new Resampler(sampleRate, rate);
    this.mulaw = format === "mulaw";
    this.frame = new Int16Array(rate / 50);
    this.filled = 0;
    this.peak = 0;
    this.muted = false;
    this.port.onmessage = ({ data }) => (this.muted = data.muted);
  }

  process([input]) {
    const samples = this.muted || !input.length ? new Float32Array(128) : input[0];
    for (const sample of this.resampler.push(samples)) {
      const rounded = Math.round(Math.max(-1, Math.min(1, sample)) * 32767);
      this.peak = Math.max(this.peak, Math.abs(rounded));
      this.frame[this.filled++] = rounded;
      if (this.filled === this.frame.length) this.flush();
    }
    return true;
  }

  flush() {
    const bytes = this.mulaw ? Uint8Array.from(this.frame, encode) : new Uint8Array(this.frame.slice().buffer);
    this.port.postMessage({ frame: bytes.buffer, peak: this.peak / 32767 }, [bytes.buffer]);
    this.filled = this.peak = 0;
  }
}

registerProcessor("capture", Capture);
