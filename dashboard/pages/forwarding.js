// Instructions for forwarding one's own phone to a number here: the codes that networks take, with the number
// filled in. Mobile codes are the GSM standard's (3GPP TS 22.030); those of fixed lines are listed only where
// they could be checked.

import { digitsToDial } from "../api/phone.js";
import { copyable } from "../widgets/copyable.js";
import { fill, h } from "../widgets/dom.js";
import { choice, field } from "../widgets/form.js";

const starHash = (conditions) => (number) =>
  conditions.map(([text, code]) => [text, `*${code}*${number}#`, `#${code}#`]);
const star = (conditions) => (number) => conditions.map(([text, on, off]) => [text, `${on}${number}`, off]);

/** Kinds of phones: id, name, the country from which the number is dialled (null: E.164), codes, a remark. */
const LINES = [
  [
    "gsm",
    "Mobile: GSM codes (most of the world; AT&T, T-Mobile)",
    null,
    gsm,
    "Dial the code as if it were a number. Voicemail of your carrier may have to be switched off first.",
  ],
  [
    "verizon",
    "Mobile: Verizon",
    "US",
    star([
      ["All calls", "*72", "*73"],
      ["Busy or no answer", "*71", "*73"],
    ]),
    "Wait for the confirmation tone.",
  ],
  [
    "us",
    "Landline: US and Canada",
    "US",
    star([
      ["All calls", "*72", "*73"],
      ["Busy", "*90", "*91"],
      ["No answer", "*92", "*93"],
    ]),
    "Wait for the second dial tone after *72; not every company has *90 and *92.",
  ],
  [
    "gb",
    "Landline: UK (BT)",
    "GB",
    starHash([
      ["All calls", 21],
      ["No answer", 61],
      ["Busy", 67],
    ]),
    "Call Diversion has to be ordered for the line.",
  ],
  [
    "de",
    "Landline: Germany (Telekom)",
    "DE",
    starHash([
      ["All calls", 21],
      ["No answer", 61],
      ["Busy", 67],
    ]),
    "Other companies mostly take the same codes.",
  ],
];

function gsm(number, seconds) {
  return [
    ["All calls", `**21*${number}#`, "##21#"],
    ["Busy", `**67*${number}#`, "##67#"],
    [`No answer for ${seconds} s`, `**61*${number}*11*${seconds}#`, "##61#"],
    ["Not reachable", `**62*${number}#`, "##62#"],
    ["Busy, no answer, not reachable", `**004*${number}#`, "##004#"],
    ["Undo all forwarding", "##002#", null],
  ];
}

/** Make the instructions for forwarding to `e164`. */
export function forwardingInstructions(e164) {
  const line = field({
    name: "line",
    label: "Your phone",
    required: true,
    control: choice(LINES.map(([id, name]) => [id, name])),
  });
  const seconds = field({
    name: "seconds",
    label: "Ring for",
    required: true,
    control: choice(
      [5, 10, 15, 20, 25, 30].map((s) => [String(s), `${s} seconds`]),
      "20",
    ),
  });
  const codes = h("div", { "aria-live": "polite" });
  const draw = () => {
    const [id, , country, make, remark] = LINES.find(([each]) => each === line.input.value);
    seconds.node.hidden = id !== "gsm";
    const number = country ? digitsToDial(e164, country) : e164;
    fill(codes, codeTable(make(number, seconds.input.value)), h("p", { class: "fine" }, remark));
  };
  line.input.addEventListener("change", draw);
  seconds.input.addEventListener("change", draw);
  draw();
  return h("div", {}, h("div", { class: "pair" }, line.node, seconds.node), codes);
}

function codeTable(codes) {
  const columns = ["Forward", "Dial", "Undo"].map((text) => h("th", { scope: "col" }, text));
  const rows = codes.map(([text, on, off]) =>
    h(
      "tr",
      {},
      h("th", { scope: "row" }, text),
      h("td", {}, codeLink(on, text)),
      h("td", {}, off && codeLink(off, `undo ${text}`)),
    ),
  );
  return h("table", { class: "codes" }, h("thead", {}, h("tr", {}, columns)), h("tbody", {}, rows));
}

/** Make a code that a touch dials on a phone, and that is copied elsewhere. */
const codeLink = (code, label) =>
  copyable(h("a", { href: `tel:${code.replaceAll("#", "%23")}` }, code), code, `the code: ${label}`);
