// How to have one's own phone forward its calls to a number here: the codes that networks take, with
// the number filled in. Mobile codes are the GSM standard's (3GPP TS 22.030); those of fixed lines are
// listed only where they could be checked.

import { fill, h } from "./dom.js";
import { choice, field } from "./form.js";
import { dialledFrom } from "./phone.js";
import { copyable } from "./ui.js";

const starHash = (conditions) => (number) =>
  conditions.map(([text, code]) => [text, `*${code}*${number}#`, `#${code}#`]);
const star = (conditions) => (number) => conditions.map(([text, on, off]) => [text, `${on}${number}`, off]);

/** Id, name, the country from which the number is dialled (null: E.164), codes, a remark. */
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

/** Instructions to forward to `e164`. */
export function forwarding(e164) {
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
    const number = country ? dialledFrom(e164, country) : e164;
    fill(
      codes,
      h(
        "table",
        { class: "codes" },
        h(
          "thead",
          {},
          h(
            "tr",
            {},
            ["Forward", "Dial", "Undo"].map((text) => h("th", { scope: "col" }, text)),
          ),
        ),
        h(
          "tbody",
          {},
          make(number, seconds.input.value).map(([text, on, off]) =>
            h(
              "tr",
              {},
              h("th", { scope: "row" }, text),
              h("td", {}, code(on, text)),
              h("td", {}, off && code(off, `undo ${text}`)),
            ),
          ),
        ),
      ),
      h("p", { class: "fine" }, remark),
    );
  };
  line.input.addEventListener("change", draw);
  seconds.input.addEventListener("change", draw);
  draw();
  return h("div", {}, h("div", { class: "pair" }, line.node, seconds.node), codes);
}

/** On a phone a touch dials it; elsewhere it is copied. */
const code = (text, what) =>
  copyable(h("a", { href: `tel:${text.replaceAll("#", "%23")}` }, text), text, `the code: ${what}`);
