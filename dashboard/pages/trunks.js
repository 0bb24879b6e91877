// SIP trunks (BYOT): the list, with each one's status and numbers. One trunk is in `trunk.js`, connecting one more
// in `connect.js`.

import { onEvents } from "../api/feed.js";
import { formatNumber } from "../api/phone.js";
import { get, getAgain } from "../api/requests.js";
import { explainSipCode } from "../api/sipcodes.js";
import { addressOf, trunkState } from "../api/trunks.js";
import { fill, h, syncRows } from "../widgets/dom.js";
import { badge, card, empty, heading, load } from "../widgets/ui.js";

const CONNECTING_POLL_MS = 3000;
const POLL_MS = 20000;

export function show(_, signal) {
  const place = h("div");
  const list = new TrunkList();
  load(place, async () => {
    list.draw(await get("trunks", {}, signal));
    keepAsking(
      () => getAgain("trunks", signal),
      (now) => list.draw(now),
      () => list.trunks,
      signal,
    );
    return list.node;
  });
  return h(
    "div",
    {},
    heading(
      "SIP trunks (BYOT)",
      "Bring your own trunks: numbers of your carriers or PBX ring at your agent, and calls go out through them.",
      h("a", { class: "button primary", href: "#/connect" }, "Connect a trunk"),
    ),
    place,
  );
}

/**
 * Ask again and again while the view is open: at once when an event is about a trunk, soon while one connects.
 * @param {() => Promise} ask @param {(answer) => void} draw @param {() => {status: string}[]} trunks as last drawn
 */
export function keepAsking(ask, draw, trunks, signal) {
  let timer;
  const refresh = async () => {
    clearTimeout(timer);
    try {
      const answer = document.hidden ? null : await ask();
      if (answer && !signal.aborted) draw(answer);
    } catch {
      // it is asked for again soon, and the feed's badge tells that the server is away
    }
    wait();
  };
  const wait = () => {
    clearTimeout(timer);
    if (signal.aborted) return;
    const soon = trunks().some(({ status }) => status === "registering");
    timer = setTimeout(refresh, soon ? CONNECTING_POLL_MS : POLL_MS);
  };
  onEvents((events) => events.some(({ type }) => /^(trunk|number)\./.test(type)) && refresh(), signal);
  signal.addEventListener("abort", () => clearTimeout(timer));
  wait();
}

/** Make a badge of a trunk's status, and name the SIP answer by which it failed. */
export function trunkStatus(trunk) {
  const [tone, text] = trunkState(trunk);
  const code = trunk.status === "failed" && trunk.sip_code;
  return [badge(text, tone), code && h("span", { class: "num" }, ` SIP ${code} ${explainSipCode(code)[0]}`)];
}

/** Make the paragraph that says what a trunk's status means, and what to do about it. */
export const trunkDetail = ({ detail, status }) =>
  detail && h("p", { class: status === "failed" ? "problem" : "fine" }, detail);

class TrunkList {
  constructor() {
    this.trunks = [];
    this.rows = h("ul", { class: "rows", "aria-label": "Trunks" });
    this.none = h("div");
    this.node = card("Your trunks", this.none, this.rows);
  }

  draw({ trunks }) {
    this.trunks = trunks;
    syncRows(this.rows, trunks, ({ name }) => name, row);
    fill(
      this.none,
      !trunks.length &&
        empty(
          "No trunk yet",
          "Connect the SIP account of your carrier or PBX. Its numbers then ring here, and you can dial out.",
          h("a", { class: "button primary", href: "#/connect" }, "Connect your first trunk"),
        ),
    );
  }
}

function row(trunk) {
  const status = h("p", { role: "status" });
  const text = h("div");
  let drawn;
  const update = (now) => {
    const { status: state, sip_code: code, detail, revision, dids } = now;
    const wanted = JSON.stringify([state, code, detail, revision, dids.map(({ e164, label }) => [e164, label])]);
    if (wanted === drawn) return;
    drawn = wanted;
    fill(status, trunkStatus(now));
    fill(text, h("p", { class: "fine" }, addressOf(now)), trunkDetail(now), h("p", {}, numbersText(now)));
  };
  update(trunk);
  const link = h("a", { class: "strong", href: `#/trunk/${trunk.name}` }, trunk.name);
  return { node: h("li", { class: "row two" }, h("div", {}, link, text), status), update };
}

function numbersText({ dids }) {
  if (!dids.length) return h("span", { class: "fine" }, "No inbound numbers yet: open the trunk to add them.");
  const written = dids.map(({ e164, label }) => formatNumber(e164) + (label ? ` (${label})` : ""));
  return `Numbers: ${written.join(", ")}`;
}
