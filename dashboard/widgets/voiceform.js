// The voice of a number: whether an agent speaks in its calls, or a hosted voice does; and which one.

import { get, patch } from "../api/requests.js";
import { button, toast } from "./button.js";
import { h, setText } from "./dom.js";
import { choice, field, form } from "./form.js";
import { problemBox } from "./ui.js";

/**
 * Make the part of a number that shows and changes its voice. Throws Problem, `hosted_voice_gated` outside the beta.
 * @param {string} path of the number @param {(number) => void} changed
 */
export async function voicePart(path, number, changed) {
  const state = h("p", { class: "hint", role: "status" });
  const draw = ({ voice, voice_settings: settings }) =>
    setText(state, voice === "hosted" ? hostedText(settings) : "An agent speaks, on the call's audio.");
  const use = async (body) => {
    const now = await patch(path, body);
    changed(now);
    draw(now);
    toast("Voice saved.");
  };
  draw(number);
  try {
    return h("div", {}, state, voiceForm(await get("voices"), number, use));
  } catch (problem) {
    if (number.voice !== "hosted") throw problem;
    const own = button("Use an agent's voice", () => use({ voice: "own", voice_settings: null }));
    return h("div", {}, state, problemBox(problem, h("div", { class: "actions" }, own)));
  }
}

function voiceForm({ voices, languages }, { voice, voice_settings: settings }, use) {
  const had = settings ?? { language: null, name: null, speed: 1, transcript: true, partials: false };
  const usual = ["", "The usual one"];
  const named = voices.map(({ name, language }) => [name, `${name} (${language})`]);
  const select = (name, label, options, chosen, hint) =>
    field({ name, label, hint, required: name === "voice", control: choice(withChosen(options, chosen), chosen) });
  const speaks = select(
    "voice",
    "Who speaks",
    [
      ["own", "An agent, on the call's audio"],
      ["hosted", "A hosted voice, which speaks your texts"],
    ],
    voice,
  );
  const ofTheHosted = [
    select("language", "Language", [usual, ...languages.map((tag) => [tag, tag])], had.language ?? ""),
    select("name", "Its voice", [usual, ...named], had.name ?? ""),
    field({
      name: "speed",
      label: "Speed",
      type: "number",
      value: had.speed,
      attributes: { min: 0.5, max: 2, step: 0.05 },
    }),
    select("transcript", "What is said", KEPT, String(had.transcript)),
    select("partials", "Partial texts", TOLD, String(had.partials)),
  ];
  const more = h(
    "div",
    { class: "pair" },
    ofTheHosted.map((each) => each.node),
  );
  const draw = () => (more.hidden = speaks.input.value !== "hosted");
  speaks.input.addEventListener("change", draw);
  draw();
  const send = ({ voice: wanted, ...values }) =>
    use({ voice: wanted, voice_settings: wanted === "hosted" ? settingsOf(values) : null });
  return form({ fields: [speaks, ...ofTheHosted], layout: [speaks.node, more], submit: "Save voice", send });
}

const KEPT = [
  ["true", "is kept for seven days"],
  ["false", "is not kept"],
];
const TOLD = [
  ["false", "are in no event"],
  ["true", "are in events, too"],
];

/** Return the options, with the one that is chosen even if it is not offered any more. */
const withChosen = (options, chosen) =>
  options.some(([value]) => value === chosen) ? options : [...options, [chosen, `${chosen} (not offered)`]];

/** Return settings as the API takes them, of a form's values. */
function settingsOf({ language, name, speed, transcript, partials }) {
  return {
    language: language || null,
    name: name || null,
    speed: Number(speed) || 1,
    transcript: transcript === "true",
    partials: partials === "true",
  };
}

function hostedText(settings) {
  const { name, language, speed = 1 } = settings ?? {};
  const parts = [name ?? "the usual one", language, speed !== 1 && `at speed ${speed}`];
  return `A hosted voice speaks: ${parts.filter(Boolean).join(", ")}.`;
}
