// Buttons and switches whose work takes a while, and the toasts that tell what came of it.

import { h, setText } from "./dom.js";

/**
 * Make a button whose work takes a while: it cannot be pressed twice, and is busy meanwhile.
 * @param {string} text @param {() => Promise} work
 * @param {{class?: string, label?: string, doing?: string, failed?: (problem) => void}} [options]
 */
export function button(text, work, { class: name = "", label, doing, failed = problemToast } = {}) {
  const node = h("button", { type: "button", class: name, "aria-label": label }, text);
  node.addEventListener("click", async () => {
    if (node.getAttribute("aria-busy")) return;
    node.setAttribute("aria-busy", "true");
    if (doing) setText(node, doing);
    try {
      await work();
    } catch (problem) {
      if (problem.name !== "AbortError") failed(problem);
    } finally {
      node.removeAttribute("aria-busy");
      if (doing) setText(node, text);
    }
  });
  return node;
}

/** Make an on-off switch, which moves at once, and back if the server refuses. */
export function toggle(label, on, change) {
  const input = h("input", { type: "checkbox", role: "switch", checked: on });
  const state = h("span", { class: "fine", "aria-hidden": "true" }, on ? "on" : "off");
  const show = (value) => {
    input.checked = value;
    setText(state, value ? "on" : "off");
  };
  input.addEventListener("change", async () => {
    const wanted = input.checked;
    setText(state, "saving…");
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

/** Show a message at the page's edge; it is read out, and gone after some seconds. */
export function toast(text, tone = "good") {
  const node = h("p", { class: `toast ${tone}` }, text);
  const place = document.getElementById("toasts");
  place.append(node);
  if (place.childElementCount > 2) place.firstElementChild.remove();
  setTimeout(() => node.remove(), tone === "bad" ? 10000 : 4000);
}

/** Tell a problem in a toast, where it has no place of its own. */
export function problemToast(problem) {
  if (problem.name === "AbortError" || problem.status === 401) return;
  const parts = [problem.title, problem.detail].filter(Boolean);
  toast(parts.length ? parts.join(": ") : String(problem.message), "bad");
}
