// The pieces that every view is made of: headings, buttons that say what became of them, copying,
// toasts, questions, problems. What they hold is the views' business. Forms are in `form.js`.

import { fill, freshId, h, say } from "./dom.js";

/** A view's top: its one h1, a sentence, and what can be done here. */
export function heading(title, text, ...actions) {
  return h(
    "header",
    { class: "top" },
    h("div", {}, h("h1", { tabindex: -1 }, title), text && h("p", { class: "lead" }, text)),
    actions.length > 0 && h("div", { class: "actions" }, actions),
  );
}

/** A titled part of a view. */
export function card(title, ...children) {
  const id = freshId();
  return h("section", { class: "card", "aria-labelledby": id }, h("h2", { id }, title), children);
}

/** What stands where there is nothing yet: what this is, and the next step. */
export const empty = (title, text, ...actions) =>
  h("div", { class: "empty" }, h("p", { class: "strong" }, title), h("p", {}, text), actions);

/** Stands where something is being fetched. */
export const skeleton = (rows = 3) =>
  h(
    "div",
    { class: "skeleton", role: "status", "aria-label": "Loading" },
    Array.from({ length: rows }, () => h("span")),
  );

/** A coloured word for a state: `good`, `bad`, `warn`, `busy` or `quiet`. */
export const badge = (text, tone = "quiet") => h("span", { class: `badge ${tone}` }, text);

/** A message at the page's edge; read out, gone after some seconds. */
export function toast(text, tone = "good") {
  const node = h("p", { class: `toast ${tone}` }, text);
  const place = document.getElementById("toasts");
  place.append(node);
  if (place.childElementCount > 2) place.firstElementChild.remove();
  setTimeout(() => node.remove(), tone === "bad" ? 10000 : 4000);
}

/** What went wrong, in the server's words, and when to try again. */
export function problemBox(problem, ...actions) {
  const {
    title = "Something went wrong on this page",
    detail = String(problem?.message ?? ""),
    code,
    retryAfter,
  } = problem ?? {};
  return h(
    "div",
    { class: "problem", role: "alert" },
    h("p", { class: "strong" }, title),
    detail && detail !== title && h("p", {}, detail),
    retryAfter && h("p", {}, `Try again in ${retryAfter} s.`),
    code && h("p", { class: "fine" }, "Code ", h("code", {}, code)),
    actions,
  );
}

/** The same in a toast, for what has no place of its own. */
export function problemToast(problem) {
  if (problem.name === "AbortError" || problem.status === 401) return;
  const parts = [problem.title, problem.detail].filter(Boolean);
  toast(parts.length ? parts.join(": ") : String(problem.message), "bad");
}

/**
 * A button whose work takes a while: cannot be pressed twice, says so while it works.
 * @param {string} text @param {() => Promise} work
 * @param {{class?: string, label?: string, doing?: string, failed?: (problem) => void}} [options]
 */
export function button(text, work, { class: name = "", label, doing, failed = problemToast } = {}) {
  const node = h("button", { type: "button", class: name, "aria-label": label }, text);
  node.addEventListener("click", async () => {
    if (node.getAttribute("aria-busy")) return;
    node.setAttribute("aria-busy", "true");
    if (doing) say(node, doing);
    try {
      await work();
    } catch (problem) {
      if (problem.name !== "AbortError") failed(problem);
    } finally {
      node.removeAttribute("aria-busy");
      if (doing) say(node, text);
    }
  });
  return node;
}

/** Copies `text` (or what it returns); `what` is for those who do not see beside what it stands. */
export function copyButton(text, what) {
  return button(
    "Copy",
    async () => {
      const value = typeof text === "function" ? text() : text;
      try {
        await navigator.clipboard.writeText(value);
      } catch {
        toast("This browser does not let the page copy: select the text and copy it yourself.", "bad");
        return;
      }
      toast(`Copied: ${what}`);
    },
    { class: "small", label: `Copy ${what}` },
  );
}

/** Something with a button that copies it; `shown` may be more readable than `text`. */
export const copyable = (shown, text, what = text) =>
  h("div", { class: "copyable num" }, shown, copyButton(text, what));

/** A line of code, with its button. */
export const snippet = (text, what) =>
  h("div", { class: "snippet" }, h("code", { tabindex: 0 }, text), copyButton(text, what));

/** A `<dialog>`, shown; closes by Escape and its buttons, and gives the focus back. */
export function dialog(title, ...children) {
  const id = freshId();
  const node = h("dialog", { "aria-labelledby": id }, h("h2", { id }, title), children);
  node.addEventListener("close", () => node.remove());
  document.body.append(node);
  node.showModal();
  return node;
}

/** Asks before something that cannot be undone. @returns {Promise<boolean>} */
export function confirm(title, text, action) {
  return new Promise((done) => {
    const answer = (value) => () => {
      done(value);
      node.close();
    };
    const node = dialog(
      title,
      h("p", {}, text),
      h(
        "div",
        { class: "actions" },
        h("button", { type: "button", onclick: answer(false), autofocus: true }, "Cancel"),
        h("button", { type: "button", class: "danger", onclick: answer(true) }, action),
      ),
    );
    node.addEventListener("close", () => done(false));
  });
}

/** Shows a secret, which no answer will show again, until the owner says that it is kept. */
export function showSecret(title, text, secret, what) {
  const node = dialog(
    title,
    h("p", {}, text),
    snippet(secret, what),
    h(
      "div",
      { class: "actions" },
      h("button", { type: "button", class: "primary", onclick: () => node.close() }, "I have kept it"),
    ),
  );
  node.addEventListener("cancel", (event) => event.preventDefault()); // not lost by a slip of the hand
  return new Promise((done) => node.addEventListener("close", done));
}

/** An on-off switch, moved at once and moved back if the server refuses. */
export function toggle(label, on, change) {
  const input = h("input", { type: "checkbox", role: "switch", checked: on });
  const state = h("span", { class: "fine", "aria-hidden": "true" }, on ? "on" : "off");
  const show = (value) => {
    input.checked = value;
    say(state, value ? "on" : "off");
  };
  input.addEventListener("change", async () => {
    const wanted = input.checked;
    say(state, "saving…");
    try {
      await change(wanted);
      show(wanted);
    } catch (problem) {
      show(!wanted);
      problemToast(problem);
    }
  });
  return { node: h("label", { class: "toggle" }, input, h("span", {}, label), state), show };
}

/** Fills `place` with what `work` returns; meanwhile a skeleton, and on failure the problem. */
export async function load(place, work, rows) {
  fill(place, skeleton(rows));
  try {
    fill(place, await work());
  } catch (problem) {
    if (problem.name === "AbortError" || problem.status === 401) return;
    fill(
      place,
      problemBox(problem, h("button", { type: "button", onclick: () => load(place, work, rows) }, "Try again")),
    );
  }
}

/** Terms and what they are, on one grid. Rows whose value is null are left out. */
export const facts = (...rows) =>
  h(
    "dl",
    { class: "facts" },
    rows.filter(Boolean).map(([term, value]) => value != null && h("div", {}, h("dt", {}, term), h("dd", {}, value))),
  );

/** Something as the API gives it, folded. */
export function raw(value, title = "As the API gives it (JSON)") {
  const text = JSON.stringify(value, null, 2);
  return h(
    "details",
    { class: "raw" },
    h("summary", {}, title),
    copyButton(text, "the JSON"),
    h("pre", { tabindex: 0 }, text),
  );
}
