// The pieces that every view is made of: headings, cards, badges, problems, and what stands where something
// is missing or awaited.

import { fill, freshId, h } from "./dom.js";

/** Make a view's top: its one h1, a sentence, and its actions. */
export function heading(title, text, ...actions) {
  return h(
    "header",
    { class: "top" },
    h("div", {}, h("h1", { tabindex: -1 }, title), text && h("p", { class: "lead" }, text)),
    actions.length > 0 && h("div", { class: "actions" }, actions),
  );
}

/** Make a titled part of a view. */
export function card(title, ...children) {
  const id = freshId();
  return h("section", { class: "card", "aria-labelledby": id }, h("h2", { id }, title), children);
}

/** Make what stands where there is nothing yet: a title, an explanation, the next step. */
export const empty = (title, text, ...actions) =>
  h("div", { class: "empty" }, h("p", { class: "strong" }, title), h("p", {}, text), actions);

/** Make what stands where something is being fetched. */
export const skeleton = (rows = 3) =>
  h(
    "div",
    { class: "skeleton", role: "status", "aria-label": "Loading" },
    Array.from({ length: rows }, () => h("span")),
  );

/** Make a coloured label for a state: `good`, `bad`, `warn`, `busy` or `quiet`. */
export const badge = (text, tone = "quiet") => h("span", { class: `badge ${tone}` }, text);

/** Make a list of terms and their values on one grid. Rows whose value is null are left out. */
export const facts = (...rows) =>
  h(
    "dl",
    { class: "facts" },
    rows.filter(Boolean).map(([term, value]) => value != null && h("div", {}, h("dt", {}, term), h("dd", {}, value))),
  );

/** Make a box that tells a problem in the server's words, and when to try again. */
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

/** Make a part that is folded. `make` makes what is in it, each time that it is unfolded. */
export function folded(title, make) {
  const place = h("div");
  const node = h("details", {}, h("summary", {}, title), place);
  node.addEventListener("toggle", () => node.open && load(place, make, 2));
  return node;
}

/** Fill `place` with what `work` returns; meanwhile with a skeleton, and on failure with the problem. */
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
