// A change of sample rate of a stream, which comes in pieces of any size, without seams. The filter is a
// windowed sinc, so nothing above half the lower rate comes back as a wrong tone.

const CROSSINGS = 16; // zero crossings of the sinc on each side
const PHASES = 512; // positions between two samples for which there is a kernel
const PASSBAND = 0.92; // of the band; the rest is the filter's slope

/** A resampler of one stream. */
export class Resampler {
  /** @param {number} from @param {number} to rates in Hz */
  constructor(from, to) {
    const ratio = Math.min(1, to / from) * PASSBAND;
    this.step = from / to;
    this.half = Math.ceil(CROSSINGS / ratio);
    this.kernels = Array.from({ length: PHASES }, (_, phase) => kernel(phase / PHASES, ratio, this.half));
    this.history = new Float32Array(2 * this.half);
    this.position = this.half; // of the next output, in samples from the beginning of `history`
  }

  /** Resample a piece. @param {Float32Array} samples @returns {Float32Array} */
  push(samples) {
    const input = new Float32Array(this.history.length + samples.length);
    input.set(this.history);
    input.set(samples, this.history.length);
    const last = input.length - this.half;
    const output = new Float32Array(Math.max(0, Math.ceil((last - this.position) / this.step)));
    for (let i = 0; i < output.length; i++) output[i] = this.sample(input, this.position + i * this.step);
    this.position += output.length * this.step;
    const done = Math.floor(this.position) - this.half;
    this.history = input.slice(done);
    this.position -= done;
    return output;
  }

  sample(input, at) {
    const whole = Math.floor(at);
    const taps = this.kernels[Math.floor((at - whole) * PHASES)];
    let sum = 0;
    for (let k = 0, from = whole - this.half + 1; k < taps.length; k++) sum += taps[k] * (input[from + k] ?? 0);
    return sum;
  }
}

/** Compute the taps for an output that lies `phase` (0 to 1) behind an input sample. They sum to one. */
function kernel(phase, ratio, half) {
  const taps = new Float32Array(2 * half);
  let sum = 0;
  for (let k = 0; k < taps.length; k++) {
    const x = k - half + 1 - phase;
    const taper = 0.42 + 0.5 * Math.cos((Math.PI * x) / half) + 0.08 * Math.cos((2 * Math.PI * x) / half);
    const sinc = x === 0 ? 1 : Math.sin(Math.PI * x * ratio) / (Math.PI * x * ratio);
    sum += taps[k] = Math.abs(x) > half ? 0 : sinc * taper;
  }
  return taps.map((tap) => tap / sum);
}
