// G.711 mu-law (ITU-T), both ways, exactly as in `common/g711.py`: samples of 16 bits, of which the
// upper 14 count.

const BIAS = 33; // of the 14-bit magnitude (G.711, table 2)
const CLIP = 8158;

/** The linear value (16 bit) of each of the 256 codes. */
export const LINEAR = Int16Array.from({ length: 256 }, (_, code) => {
  const inverted = ~code & 0xff;
  const magnitude = ((((inverted & 0x0f) << 3) + 132) << ((inverted >> 4) & 7)) - 132;
  return inverted & 0x80 ? -magnitude : magnitude;
});

/** The code of silence. */
export const SILENCE = 0xff;

/** Encode a sample of 16 bits. */
export function encode(sample) {
  const linear = sample >> 2;
  const magnitude = Math.min(Math.abs(linear), CLIP) + BIAS;
  const segment = 26 - Math.clz32(magnitude);
  return (linear < 0 ? 0x7f : 0xff) ^ ((segment << 4) | ((magnitude >> (segment + 1)) & 0x0f));
}
