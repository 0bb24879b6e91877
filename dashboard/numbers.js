// AI Answering Machine: routing numbers, whom they ring at, and how calls get there. The first view,
// so it begins with what is left to do until an agent talks.

import { create, del, get, patch } from "./api.js";
import { fill, h, sync } from "./dom.js";
import { calls, learn, onCalls, onEvents } from "./feed.js";
import { choice, field, form } from "./form.js";
import { forwarding } from "./forwarding.js";
import { gettingStarted } from "./start.js";
import { agentForm } from "./agenturl.js";
import { countryName, pretty } from "./phone.js";
import { callOneself } from "./talk.js";
import { timeOf } from "./time.js";
import { button, confirm, copyable, empty, heading, load, problemToast, toast, toggle } from "./ui.js";

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
    learn(page.calls);
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
      "AI Answering Machine",
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
    sync(
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
    gettingStarted(this.steps, this.numbers, [...calls.values()]);
  }

  async refresh(signal) {
    try {
      this.draw((await get("numbers", {}, signal)).numbers);
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
        toast(`${pretty(number.e164)} is yours.`);
      },
      { class: "primary", doing: "Activating…" },
    );
    return countries.length > 1 ? [country, activate] : activate;
  }

  row(number) {
    const { e164 } = number;
    const path = `number/${e164}`;
    const title = h("h2", { class: "number num", id: `n${e164.slice(1)}` }, pretty(e164));
    const label = h("p", { class: "fine" });
    const auto = toggle("Auto-answer", number.auto_answer, (on) => patch(path, { auto_answer: on }).then(changed));
    const name = field({ name: "label", label: "Label", value: number.label, attributes: { maxlength: 100 } });
    const agent = agentForm(path, number.agent_url, e164, changed);
    const self = this;
    function changed(now) {
      number = now;
      fill(
        label,
        [now.label, countryName(now.country)].filter(Boolean).join(" · "),
        " · active since ",
        timeOf(now.activated_at),
      );
      auto.show(now.auto_answer);
      agent.show(now.agent_url);
      self.numbers = self.numbers.map((each) => (each.e164 === e164 ? now : each));
      self.drawSteps();
    }
    const rename = async (values) => {
      changed(await patch(path, values));
      toast("Label saved.");
    };
    const release = button(
      "Release",
      async () => {
        const sure = await confirm(
          `Release ${pretty(e164)}?`,
          "Calls to it are rejected from then on, and somebody else may get it. This cannot be undone.",
          "Release the number",
        );
        if (!sure) return;
        await del(path);
        this.draw(this.numbers.filter((each) => each.e164 !== e164));
        toast(`${pretty(e164)} is released.`);
      },
      { class: "danger small", label: `Release ${pretty(e164)}` },
    );
    const test = button("Test call", () => callOneself(e164), { label: `Test call to ${pretty(e164)}` });
    const node = h(
      "section",
      { class: "card", "aria-labelledby": title.id },
      h(
        "div",
        { class: "spread" },
        h("div", {}, copyable(title, e164, pretty(e164)), label),
        h("div", { class: "actions" }, this.service.test_calls && test, release),
      ),
      auto.node,
      h(
        "p",
        { class: "hint" },
        "On: calls are picked up at once. Off: they ring for up to 60 s until your agent accepts them.",
      ),
      h("details", {}, h("summary", {}, "Forward your phone to this number"), forwarding(e164)),
      h(
        "details",
        {},
        h("summary", {}, "Label and agent"),
        form({ fields: [name], submit: "Save label", send: rename }),
        agent.node,
      ),
    );
    changed(number);
    return { node, update: (now) => now !== number && changed(now) };
  }
}
