// Phone numbers: routing numbers, their agents, and forwarding to them. It is the first view, so it begins with
// the steps that are left until an agent talks.

import { calls, mergeCalls, onCalls, onEvents } from "../api/feed.js";
import { countryName, formatNumber } from "../api/phone.js";
import { create, del, get, getAgain, patch } from "../api/requests.js";
import { button, problemToast, toast, toggle } from "../widgets/button.js";
import { placeTestCall } from "../widgets/callpanel.js";
import { timeElement } from "../widgets/clock.js";
import { copyable } from "../widgets/copyable.js";
import { confirm } from "../widgets/dialog.js";
import { fill, h, syncRows } from "../widgets/dom.js";
import { choice } from "../widgets/form.js";
import { agentForm, labelForm } from "../widgets/numberforms.js";
import { empty, folded, heading, load } from "../widgets/ui.js";
import { drawGettingStarted } from "./start.js";

export function show(_, signal) {
  const steps = h("div");
  const place = h("div");
  const activation = h("div", { class: "actions" });
  load(place, async () => {
    const [{ numbers }, service, page] = await Promise.all([
      get("numbers", {}, signal),
      get("service", {}, signal),
      get("calls", { limit: 20 }, signal),
    ]);
    mergeCalls(page.calls);
    const list = new Numbers(numbers, service, steps);
    fill(activation, list.activation());
    onEvents((events) => events.some(({ type }) => type.startsWith("number.")) && list.refresh(signal), signal);
    onCalls(() => list.drawSteps(), signal);
    return list.node;
  });
  return h(
    "div",
    {},
    heading(
      "Phone numbers",
      "A number of ours that rings at your agent. Forward your own phone to it, or give it out.",
      activation,
    ),
    steps,
    place,
  );
}

class Numbers {
  constructor(numbers, service, steps) {
    this.numbers = numbers;
    this.service = service;
    this.steps = steps;
    this.list = h("div");
    this.none = h("div");
    this.node = h("div", {}, this.none, this.list);
    this.draw(numbers);
  }

  draw(numbers) {
    this.numbers = numbers;
    syncRows(
      this.list,
      numbers,
      (number) => number.e164,
      (number) => this.row(number),
    );
    fill(
      this.none,
      !numbers.length &&
        empty("No number yet", "Activate one: it is yours at once, and calls to it ring at your agent."),
    );
    this.drawSteps();
  }

  drawSteps() {
    drawGettingStarted(this.steps, this.numbers, [...calls.values()]);
  }

  async refresh(signal) {
    try {
      this.draw((await getAgain("numbers", signal)).numbers);
    } catch (problem) {
      problemToast(problem);
    }
  }

  activation() {
    const countries = this.service.countries.length ? this.service.countries : ["US"];
    const here = new Intl.Locale(navigator.language).region;
    const country = choice(
      countries.map((code) => [code, countryName(code)]),
      countries.includes(here) ? here : undefined,
    );
    country.setAttribute("aria-label", "Country of the new number");
    const activate = button(
      "Activate routing number",
      async () => {
        const number = await create("number", { country: country.value });
        this.draw([...this.numbers.filter((each) => each.e164 !== number.e164), number]);
        toast(`${formatNumber(number.e164)} is yours.`);
      },
      { class: "primary", doing: "Activating…" },
    );
    return countries.length > 1 ? [country, activate] : activate;
  }

  row(number) {
    const { e164 } = number;
    const path = `number/${e164}`;
    const id = `n${e164.slice(1)}`;
    const text = h("p", { class: "fine" });
    const auto = toggle("Auto-answer", number.auto_answer, (on) => patch(path, { auto_answer: on }).then(update));
    const agent = agentForm(path, number.agent_url, e164, (now) => update(now));
    const forwarding = () => import("./forwarding.js").then((page) => page.forwardingInstructions(e164));
    const voice = () => import("../widgets/voiceform.js").then((form) => form.voicePart(path, number, update));
    const update = (now) => {
      number = now;
      const place = [now.label, countryName(now.country)].filter(Boolean).join(" · ");
      fill(text, place, " · active since ", timeElement(now.activated_at));
      auto.show(now.auto_answer);
      agent.show(now.agent_url);
      this.numbers = this.numbers.map((each) => (each.e164 === e164 ? now : each));
      this.drawSteps();
    };
    const title = h("h2", { class: "number num", id }, formatNumber(e164));
    const node = h(
      "section",
      { class: "card", "aria-labelledby": id },
      h(
        "div",
        { class: "spread" },
        h("div", {}, copyable(title, e164, formatNumber(e164)), text),
        h("div", { class: "actions" }, this.actions(e164)),
      ),
      auto.node,
      h(
        "p",
        { class: "hint" },
        "On: calls are picked up at once. Off: they ring for up to 60 s until your agent accepts them.",
      ),
      folded("Forward your phone to this number", forwarding),
      h("details", {}, h("summary", {}, "Label and agent"), labelForm(path, number.label, update), agent.node),
      folded("Voice", voice),
    );
    update(number);
    return { node, update: (now) => now !== number && update(now) };
  }

  actions(e164) {
    const test = button("Test call", () => placeTestCall(e164), { label: `Test call to ${formatNumber(e164)}` });
    const release = button("Release", () => this.release(e164), {
      class: "danger small",
      label: `Release ${formatNumber(e164)}`,
    });
    return [this.service.test_calls && test, release];
  }

  async release(e164) {
    const sure = await confirm(
      `Release ${formatNumber(e164)}?`,
      "Calls to it are rejected from then on, and somebody else may get it. This cannot be undone.",
      "Release the number",
    );
    if (!sure) return;
    await del(`number/${e164}`);
    this.draw(this.numbers.filter((each) => each.e164 !== e164));
    toast(`${formatNumber(e164)} is released.`);
  }
}
