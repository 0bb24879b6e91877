// Text with a button that copies it.

import { button, toast } from "./button.js";
import { h } from "./dom.js";

/** Put a button that copies `text` beside `shown`, which may be more readable. */
export const copyable = (shown, text, label = text) =>
  h("div", { class: "copyable num" }, shown, copyButton(text, label));

/** Make a line of code, with a button that copies it. */
export const snippet = (text, label) =>
  h("div", { class: "snippet" }, h("code", { tabindex: 0 }, text), copyButton(text, label));

/** Make a folded view of a value as JSON. */
export function jsonDetails(value, title = "As the API gives it (JSON)") {
  const text = JSON.stringify(value, null, 2);
  return h(
    "details",
    { class: "raw" },
    h("summary", {}, title),
    copyButton(text, "the JSON"),
    h("pre", { tabindex: 0 }, text),
  );
}

/** Make a button that copies `text`; `label` names it for those who do not see beside what it stands. */
function copyButton(text, label) {
  return button(
    "Copy",
    async () => {
      try {
        await navigator.clipboard.writeText(text);
      } catch {
        toast("This browser does not let the page copy: select the text and copy it yourself.", "bad");
        return;
      }
      toast(`Copied: ${label}`);
    },
    { class: "small", label: `Copy ${label}` },
  );
}
