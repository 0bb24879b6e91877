// A change of sample rate, as a stream: what comes in pieces of any size comes out without seams. A
// windowed sinc does it, so nothing above the lower rate's half comes back as a wrong tone.

const CROSSINGS = 16; // zero crossings of the sinc on each side
const PHASES = 512; // places between two samples that the kernel is worked out for
const PASS = 0.92; // of the band; the rest is the filter's slope

export class Resampler {
  /** @param {number} from @param {number} to rates in Hz */
  constructor(from, to) {
    const ratio = Math.min(1, to / from) * PASS;
    this.step = from / to;
    this.half = Math.ceil(CROSSINGS / ratio);
    this.kernels = Array.from({ length: PHASES }, (_, phase) => kernel(phase / PHASES, ratio, this.half));
    this.held = new Float32Array(2 * this.half);
    this.at = this.half; // of the next output, in samples from the beginning of `held`
  }

  /** @param {Float32Array} samples @returns {Float32Array} what follows from them */
  push(samples) {
    const input = new Float32Array(this.held.length + samples.length);
    input.set(this.held);
    input.set(samples, this.held.length);
    const last = input.length - this.half;
    const output = new Float32Array(Math.max(0, Math.ceil((last - this.at) / this.step)));
    for (let i = 0; i < output.length; i++) output[i] = this.sample(input, this.at + i * this.step);
    this.at += output.length * this.step;
    const done = Math.floor(this.at) - this.half;
    this.held = input.slice(done);
    this.at -= done;
    return output;
  }

  sample(input, at) {
    const place = Math.floor(at);
    const taps = this.kernels[Math.floor((at - place) * PHASES)];
    let sum = 0;
    for (let k = 0, from = place - this.half + 1; k < taps.length; k++) sum += taps[k] * (input[from + k] ?? 0);
    return sum;
  }
}

/** The taps for an output that lies `phase` (0 to 1) behind an input sample. They sum to one. */
function kernel(phase, ratio, half) {
  const taps = new Float32Array(2 * half);
  let sum = 0;
  for (let k = 0; k < taps.length; k++) {
    const x = k - half + 1 - phase;
    const window = 0.42 + 0.5 * Math.cos((Math.PI * x) / half) + 0.08 * Math.cos((2 * Math.PI * x) / half);
    const sinc = x === 0 ? 1 : Math.sin(Math.PI * x * ratio) / (Math.PI * x * ratio);
    sum += taps[k] = Math.abs(x) > half ? 0 : sinc * window;
  }
  return taps.map((tap) => tap / sum);
}
