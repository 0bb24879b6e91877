// Dialogs: questions before what cannot be undone, and secrets that are shown once.

import { snippet } from "./copyable.js";
import { freshId, h } from "./dom.js";

/** Ask before something that cannot be undone. @returns {Promise<boolean>} */
export function confirm(title, text, action) {
  return new Promise((resolve) => {
    const closeWith = (answer) => () => {
      resolve(answer);
      takeAway(node);
    };
    const node = dialog(
      title,
      h("p", {}, text),
      h(
        "div",
        { class: "actions" },
        h("button", { type: "button", onclick: closeWith(false), autofocus: true }, "Cancel"),
        h("button", { type: "button", class: "danger", onclick: closeWith(true) }, action),
      ),
    );
    node.addEventListener("close", () => resolve(false));
  });
}

/** Show a secret, which no answer will show again, until the owner says that it is kept. */
export function showSecret(title, text, secret, label) {
  const node = dialog(
    title,
    h("p", {}, text),
    snippet(secret, label),
    h(
      "div",
      { class: "actions" },
      h("button", { type: "button", class: "primary", onclick: () => takeAway(node) }, "I have kept it"),
    ),
  );
  node.addEventListener("cancel", (event) => event.preventDefault()); // not lost by a slip of the hand
  return new Promise((resolve) => node.addEventListener("close", resolve));
}

/** Close a dialog and forget what it showed: its `close` event comes later, and a secret must not stay until then. */
function takeAway(node) {
  node.close();
  node.remove();
}

/** Show a `<dialog>`; it closes by Escape and its buttons, and gives the focus back. */
function dialog(title, ...children) {
  const id = freshId();
  const node = h("dialog", { "aria-labelledby": id }, h("h2", { id }, title), children);
  node.addEventListener("close", () => node.remove());
  document.body.append(node);
  node.showModal();
  return node;
}
