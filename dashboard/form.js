// Forms: labelled fields, hints, and each of the server's `errors[]` beside the field it names.

import { fill, freshId, h, say } from "./dom.js";
import { problemBox } from "./ui.js";

/**
 * A field. `control` is its input, made elsewhere or, from `type`, here.
 * @param {{name: string, label: string, hint?: string, type?: string, value?: any, required?: boolean,
 *   control?: HTMLElement, attributes?: object}} spec
 */
export function field({ name, label, hint, type = "text", value = "", required, control, attributes }) {
  const id = freshId();
  const input = control ?? h("input", { type, autocomplete: "off", spellcheck: "false", ...attributes });
  if (!control) input.value = value;
  input.id = id;
  input.name = name;
  input.required = Boolean(required);
  const error = h("p", { class: "error", id: `${id}e` });
  input.setAttribute("aria-describedby", `${hint ? `${id}h ` : ""}${id}e`);
  const node = h(
    "div",
    { class: "field" },
    h("label", { for: id }, label, !required && h("span", { class: "fine" }, " (optional)")),
    input,
    hint && h("p", { class: "hint", id: `${id}h` }, hint),
    error,
  );
  const complain = (text) => {
    say(error, text);
    if (text) input.setAttribute("aria-invalid", "true");
    else input.removeAttribute("aria-invalid");
  };
  input.addEventListener("input", () => complain(""));
  return { name, node, input, complain };
}

/** A choice among `[value, text]` pairs, for `field`'s `control`. */
export function choice(options, chosen) {
  const node = h(
    "select",
    {},
    options.map(([value, text]) => h("option", { value }, text)),
  );
  node.value = chosen ?? options[0][0];
  return node;
}

/**
 * A form of fields and whatever else.
 * @param {{fields: ReturnType<typeof field>[], submit: string, doing?: string,
 *   send: (values: Object<string, string>) => Promise, layout?: Node[], actions?: Node[]}} spec
 *   layout: what is shown, if that is not just the fields below each other
 */
export function form({ fields, submit, doing = "Saving…", send, layout, actions = [] }) {
  const wrong = h("div");
  const go = h("button", { type: "submit", class: "primary" }, submit);
  const node = h(
    "form",
    { novalidate: true },
    layout ?? fields.map((each) => each.node),
    wrong,
    h("div", { class: "actions" }, go, actions),
  );
  node.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (go.getAttribute("aria-busy")) return;
    fill(wrong);
    for (const each of fields) each.complain(each.input.required && !each.input.value.trim() ? "This is needed." : "");
    if (pointAtFirst()) return;
    go.setAttribute("aria-busy", "true");
    say(go, doing);
    try {
      await send(
        Object.fromEntries(
          fields.map(({ name, input }) => [name, input.type === "password" ? input.value : input.value.trim()]),
        ),
      );
    } catch (problem) {
      if (problem.name !== "AbortError") refuse(problem);
    } finally {
      go.removeAttribute("aria-busy");
      say(go, submit);
    }
  });

  function refuse(problem) {
    const at = (problem.errors ?? []).filter(({ field, message }) => {
      const named = fields.find(({ name }) => name === field.split(".")[0]);
      named?.complain(message.replace(/^Value error, /, ""));
      return named;
    });
    if (!at.length || at.length < problem.errors.length) fill(wrong, problemBox(problem));
    pointAtFirst();
  }

  function pointAtFirst() {
    const bad = fields.find(({ input }) => input.getAttribute("aria-invalid"));
    bad?.input.focus();
    return bad;
  }

  return node;
}
