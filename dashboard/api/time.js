// The server's time, learned from its answers, and times and durations as text.

let lowest = -Infinity; // bounds of how far the server's clock is ahead of ours, in ms
let highest = Infinity;

/**
 * Narrow down how far the server's clock is ahead of ours, by an answer's `Date`. It has whole
 * seconds only: each answer bounds the difference, and many bound it closely.
 * @param {string|null} date the header @param {number} sent @param {number} received epoch ms, ours
 */
export function adjustClock(date, sent, received) {
  const server = Date.parse(date ?? "");
  if (Number.isNaN(server)) return;
  const [low, high] = [server - received, server + 1000 - sent];
  lowest = Math.max(lowest, low);
  highest = Math.min(highest, high);
  if (lowest > highest) [lowest, highest] = [low, high]; // somebody set a clock
}

/** Return the time by the server's clock (epoch ms). */
export function serverNow() {
  return Date.now() + (Number.isFinite(lowest) ? (lowest + highest) / 2 : 0);
}

const TIME = new Intl.DateTimeFormat("en-GB", { timeStyle: "medium" });
const DAY = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric" });

/** Write a time as `14:03:22`, with its date if that is not today's. */
export function formatTime(iso) {
  const date = new Date(iso);
  const today = date.toDateString() === new Date(serverNow()).toDateString();
  return today ? TIME.format(date) : `${DAY.format(date)}, ${TIME.format(date)}`;
}

/** Write milliseconds as `1:05` or `2:00:09`. */
export function formatDuration(ms) {
  const s = Math.max(0, Math.floor(ms / 1000));
  const two = (n) => String(n).padStart(2, "0");
  const [hours, minutes] = [Math.floor(s / 3600), Math.floor(s / 60) % 60];
  return hours ? `${hours}:${two(minutes)}:${two(s % 60)}` : `${minutes}:${two(s % 60)}`;
}
