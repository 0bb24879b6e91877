// The page's frame: who is signed in, where one is, and what stands around the views. Each view is a
// module with `show(param, signal)`, which returns its element; the signal aborts when one leaves.

import { get, request, whenSessionIsOver } from "./api.js";
import { fill, h, say } from "./dom.js";
import { calls, feedStatus, onEvents, onStatus, start, stop } from "./feed.js";
import { pretty } from "./phone.js";
import { serverNow } from "./time.js";
import { button, problemBox, skeleton, toast } from "./ui.js";
import { caller, isTestCall } from "./words.js";

const VIEWS = [
  ["numbers", "AI Answering Machine", () => import("./numbers.js")],
  ["trunk", "SIP Trunk (BYOT)", () => import("./trunk.js")],
  ["calls", "Calls", () => import("./calls.js")],
  ["dial", "Dial", () => import("./dial.js")],
  ["events", "Events", () => import("./events.js")],
  ["webhooks", "Webhooks", () => import("./webhooks.js")],
  ["keys", "Keys", () => import("./keys.js")],
];
/** Views of single things: whose place in the navigation is marked, and their module. */
const DETAILS = { call: ["calls", () => import("./call.js")], webhook: ["webhooks", () => import("./webhook.js")] };
const FEED = {
  connecting: ["busy", "Connecting…"],
  live: ["good", "Live"],
  paused: ["quiet", "Paused"],
  offline: ["bad", "Offline, trying again"],
};

const app = document.getElementById("app");
const main = h("main", { id: "main" });
const links = new Map(VIEWS.map(([name, title]) => [name, h("a", { href: `#/${name}` }, title)]));
const live = h("span", { role: "status" });
let leaving = new AbortController();
let signedIn = false;

async function begin() {
  try {
    enter(await get("session"));
  } catch (problem) {
    if (problem.status === 401) await askToSignIn();
    else
      fill(
        app,
        h(
          "main",
          { class: "alone" },
          h("h1", {}, "Chamade SIP"),
          problemBox(problem, h("button", { type: "button", onclick: begin }, "Try again")),
        ),
      );
  }
}

async function askToSignIn(why) {
  signedIn = false;
  leaving.abort();
  stop();
  const { signInView } = await import("./signin.js");
  fill(app, signInView(enter, why));
  document.title = "Sign in – Chamade SIP";
  app.querySelector("h1").focus();
}

function enter(session) {
  signedIn = true;
  fill(app, frame(session));
  start();
  show();
}

async function signOut() {
  const { endTalks } = await import("./talk.js");
  endTalks();
  await request("DELETE", "session");
  location.hash = "";
  await askToSignIn();
}

function frame(session) {
  return h(
    "div",
    { class: "frame" },
    h(
      "a",
      {
        class: "skip",
        href: "#main",
        onclick: (event) => {
          event.preventDefault();
          main.querySelector("h1")?.focus();
        },
      },
      "Skip to content",
    ),
    h(
      "header",
      { class: "side" },
      h(
        "p",
        { class: "brand" },
        h("img", { src: new URL("mark.svg", import.meta.url).href, alt: "", width: 28, height: 28 }),
        "Chamade SIP",
      ),
      h("nav", { "aria-label": "Sections" }, [...links.values()]),
      h(
        "div",
        { class: "foot" },
        live,
        h("p", { class: "fine account" }, session.account_name || session.account_id),
        themeChoice(),
        button("Sign out", signOut, { class: "small" }),
      ),
    ),
    main,
  );
}

function themeChoice() {
  const root = document.documentElement;
  const select = h(
    "select",
    { "aria-label": "Theme", class: "small" },
    ["System", "Light", "Dark"].map((text) => h("option", { value: text.toLowerCase() }, text)),
  );
  select.value = root.dataset.theme ?? "system";
  select.addEventListener("change", () => {
    localStorage.setItem("theme", select.value);
    applyTheme();
  });
  return select;
}

function applyTheme() {
  const theme = localStorage.getItem("theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
  else delete document.documentElement.dataset.theme;
}

async function show() {
  if (!signedIn) return;
  leaving.abort();
  leaving = new AbortController();
  const { signal } = leaving;
  const [, name, param] = /^#\/([a-z]+)(?:\/(.*))?$/.exec(location.hash) ?? [null, VIEWS[0][0]];
  const [section, module] = DETAILS[name] ??
    VIEWS.filter((view) => view[0] === name).map(([id, , load]) => [id, load])[0] ?? [VIEWS[0][0], VIEWS[0][2]];
  for (const [id, link] of links) {
    if (id === section) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  const waiting = setTimeout(() => fill(main, skeleton()), 150);
  try {
    const view = await module();
    if (signal.aborted) return;
    fill(main, view.show(decodeURIComponent(param ?? ""), signal));
  } catch (problem) {
    fill(
      main,
      h("h1", { tabindex: -1 }, "This did not load"),
      problemBox(problem, h("button", { type: "button", onclick: show }, "Try again")),
    );
  } finally {
    clearTimeout(waiting);
  }
  const title = main.querySelector("h1");
  document.title = `${title.textContent} – Chamade SIP`;
  links.get(section).scrollIntoView({ block: "nearest", inline: "center" });
  title.focus({ preventScroll: true });
  scrollTo(0, 0);
}

/** Says whether what is seen is what is. */
function showFeed(status) {
  const [tone, text] = FEED[status];
  live.className = `badge dot ${tone}`;
  say(live, text);
}

/** Says, whatever view is open, that somebody calls and waits for an answer. */
function tellOfRinging(events) {
  for (const { type, call_id: id } of events) {
    const call = calls.get(id);
    const waits =
      call?.state === "ringing" &&
      call.direction === "inbound" &&
      !call.auto_answer &&
      Date.parse(call.ring_deadline) > serverNow();
    if (type === "call.ringing" && waits && !isTestCall(call))
      toast(`Ringing: ${caller(call)} calls ${pretty(call.to)}.`, "warn");
  }
}

onStatus(showFeed);
showFeed(feedStatus());
onEvents(tellOfRinging);
whenSessionIsOver(() => {
  if (signedIn) askToSignIn("Your session is over. Sign in again, and you are back where you were.");
});
addEventListener("hashchange", show);
addEventListener("offline", () => toast("This device is offline.", "bad"));
applyTheme();
begin();
