// Forms: labelled fields, hints, and each of the server's `errors[]` beside the field that it names.

import { fill, freshId, h, setText } from "./dom.js";
import { problemBox } from "./ui.js";

/**
 * Make a field. `control` is its input; without one it is made from `type`.
 * @param {{name: string, label: string, hint?: string, type?: string, value?: any, required?: boolean,
 *   control?: HTMLElement, attributes?: object}} spec
 */
export function field({ name, label, hint, type = "text", value = "", required, control, attributes }) {
  const id = freshId();
  const input = control ?? h("input", { type, autocomplete: "off", spellcheck: "false", ...attributes });
  if (!control) input.value = value;
  input.id = id;
  input.name = name;
  const optional = h("span", { class: "fine" }, " (optional)");
  const error = h("p", { class: "error", id: `${id}e` });
  input.setAttribute("aria-describedby", `${hint ? `${id}h ` : ""}${id}e`);
  const node = h(
    "div",
    { class: "field" },
    h("label", { for: id }, label, optional),
    input,
    hint && h("p", { class: "hint", id: `${id}h` }, hint),
    error,
  );
  const setError = (text) => {
    setText(error, text);
    if (text) input.setAttribute("aria-invalid", "true");
    else input.removeAttribute("aria-invalid");
  };
  const setRequired = (needed) => {
    input.required = optional.hidden = Boolean(needed);
  };
  setRequired(required);
  input.addEventListener("input", () => setError(""));
  return { name, node, input, setError, setRequired };
}

/** Make the field of a label. */
export const labelField = (value = "", hint = undefined) =>
  field({ name: "label", label: "Label", value, hint, attributes: { maxlength: 100 } });

/** Make a choice among `[value, text]` pairs, for `field`'s `control`. */
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
 * Make a form, which shows errors beside its fields and cannot be sent twice.
 * @param {{fields: ReturnType<typeof field>[], submit: string, doing?: string,
 *   send: (values: Object<string, string>) => Promise, layout?: Node[], actions?: Node[]}} spec
 *   layout: what is shown, if that is not just the fields below each other
 */
export function form({ fields, submit, doing = "Saving…", send, layout, actions = [] }) {
  const problems = h("div");
  const submitButton = h("button", { type: "submit", class: "primary" }, submit);
  const node = h(
    "form",
    { novalidate: true },
    layout ?? fields.map((each) => each.node),
    problems,
    h("div", { class: "actions" }, submitButton, actions),
  );
  node.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (submitButton.getAttribute("aria-busy")) return;
    fill(problems);
    for (const each of fields) each.setError(each.input.required && !each.input.value.trim() ? "This is needed." : "");
    if (focusFirstError(fields)) return;
    submitButton.setAttribute("aria-busy", "true");
    setText(submitButton, doing);
    try {
      await send(valuesOf(fields));
    } catch (problem) {
      if (problem.name === "AbortError") return;
      if (!markErrors(fields, problem.errors ?? [])) fill(problems, problemBox(problem));
      focusFirstError(fields);
    } finally {
      submitButton.removeAttribute("aria-busy");
      setText(submitButton, submit);
    }
  });
  return node;
}

/** Return what is in the fields, by name; passwords as they are, the rest without spaces around it. */
function valuesOf(fields) {
  const value = ({ type, value }) => (type === "password" ? value : value.trim());
  return Object.fromEntries(fields.map(({ name, input }) => [name, value(input)]));
}

/** Show each error beside its field; return whether there were some, and each had one. */
function markErrors(fields, errors) {
  const shown = errors.filter(({ field, message }) => {
    const named = fields.find(({ name }) => name === field.split(".")[0]);
    named?.setError(message);
    return named;
  });
  return shown.length > 0 && shown.length === errors.length;
}

function focusFirstError(fields) {
  const first = fields.find(({ input }) => input.getAttribute("aria-invalid"));
  for (let folded = first?.input.closest("details"); folded; folded = folded.parentElement.closest("details"))
    folded.open = true; // what is folded takes no focus
  first?.input.focus();
  return first;
}
