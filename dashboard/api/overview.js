// Calls of a time, counted: how many there were in each hour or day, how they ended, how long people talked.
// Nothing here touches the screen.

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const PAGE_SIZE = 100;
export const MAX_PAGES = 20; // 2,000 calls: of a busier time, the newest are counted

/** Label, length, and step of each time that can be looked at. */
export const RANGES = {
  day: ["24 hours", DAY_MS, HOUR_MS],
  week: ["7 days", 7 * DAY_MS, DAY_MS],
  month: ["30 days", 30 * DAY_MS, DAY_MS],
};

/** Kinds of calls that are counted, with their labels. */
export const KINDS = { answered: "Answered", missed: "Missed", failed: "Failed", other: "Not taken, or not over" };

/** Return the kind of a call. One that was answered counts as such, however it ended. */
export function kindOf({ answered_at: answered, state }) {
  if (answered) return "answered";
  return state === "missed" || state === "failed" ? state : "other";
}

/**
 * Read the calls since a moment, newest first, page by page.
 * @param {(query: object) => Promise<{calls: object[], next_cursor: string | null}>} getPage
 * @param {number} since epoch ms
 * @returns {Promise<{calls: object[], whole: boolean}>} whole: these are all
 */
export async function callsSince(getPage, since) {
  const found = [];
  let cursor;
  for (let page = 0; page < MAX_PAGES; page += 1) {
    const { calls, next_cursor: next } = await getPage({ limit: PAGE_SIZE, cursor });
    found.push(...calls.filter((call) => Date.parse(call.created_at) >= since));
    if (!next || found.length < (page + 1) * PAGE_SIZE) return { calls: found, whole: true };
    cursor = next;
  }
  return { calls: found, whole: false };
}

/** Return the beginning (epoch ms) of the first step of a time that ends now, at a whole hour or day of this place. */
export function beginOf(range, now) {
  const [, length, step] = RANGES[range];
  const first = new Date(now - length + step);
  if (step === DAY_MS) first.setHours(0);
  first.setMinutes(0, 0, 0);
  return first.getTime();
}

/** Return how long people talked in a call, in ms; one that goes on counts up to now. */
const talkedMs = ({ answered_at: answered, ended_at: ended }, now) =>
  answered ? Math.max(0, (ended ? Date.parse(ended) : now) - Date.parse(answered)) : 0;

/**
 * Count calls by step, kind and talk time.
 * @returns {{steps: {at: number, counts: object, talked: number}[], counts: object, talked: number}}
 */
export function overview(calls, range, now) {
  const begin = beginOf(range, now);
  const steps = stepsOf(begin, RANGES[range][2], now);
  const all = { counts: noCounts(), talked: 0 };
  for (const call of calls) {
    const at = Date.parse(call.created_at);
    const step = steps.findLast((each) => each.at <= at);
    if (!step) continue;
    for (const each of [step, all]) {
      each.counts[kindOf(call)] += 1;
      each.talked += talkedMs(call, now);
    }
  }
  return { steps, ...all };
}

/** Make the steps up to now; days may have 23 or 25 hours. */
function stepsOf(begin, step, now) {
  const steps = [];
  for (const at = new Date(begin); at.getTime() <= now; ) {
    steps.push({ at: at.getTime(), counts: noCounts(), talked: 0 });
    if (step === DAY_MS) at.setDate(at.getDate() + 1);
    else at.setTime(at.getTime() + step);
  }
  return steps;
}

const noCounts = () => Object.fromEntries(Object.keys(KINDS).map((kind) => [kind, 0]));

/** Return a sum of counts. */
export const sum = (counts) => Object.values(counts).reduce((total, each) => total + each, 0);

/** Return a talk time as people read it. */
export function talkText(ms) {
  const minutes = Math.round(ms / 60_000);
  if (minutes >= 60) return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
  return minutes || !ms ? `${minutes} min` : `${Math.round(ms / 1000)} s`;
}
