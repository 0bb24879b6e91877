// The page's frame: signing in and out, the navigation, and what is shown around each view. A view is a
// module of `pages/` with `show(param, signal)`, which returns its element; the signal aborts when one leaves.

import { calls, feedStatus, onEvents, onStatus, startFeed, stopFeed } from "./api/feed.js";
import { callerName, isTestCall } from "./api/labels.js";
import { formatNumber } from "./api/phone.js";
import { get, onSessionOver, request } from "./api/requests.js";
import { serverNow } from "./api/time.js";
import { button, toast } from "./widgets/button.js";
import { fill, h, setText } from "./widgets/dom.js";
import { problemBox, skeleton } from "./widgets/ui.js";

const VIEWS = [
  ["numbers", "Phone numbers", () => import("./pages/numbers.js")],
  ["trunks", "SIP trunks (BYOT)", () => import("./pages/trunks.js")],
  ["calls", "Calls", () => import("./pages/calls.js")],
  ["overview", "Overview", () => import("./pages/overview.js")],
  ["dial", "Dial", () => import("./pages/dial.js")],
  ["events", "Events", () => import("./pages/events.js")],
  ["webhooks", "Webhooks", () => import("./pages/webhooks.js")],
  ["keys", "Keys", () => import("./pages/keys.js")],
];
/** Views of single things, and what leads to one: their section of the navigation, and their module. */
const DETAILS = {
  call: ["calls", () => import("./pages/call.js")],
  trunk: ["trunks", () => import("./pages/trunk.js")],
  connect: ["trunks", () => import("./pages/connect.js")],
  webhook: ["webhooks", () => import("./pages/webhook.js")],
};
/** Tone and label of each status of the feed. */
const FEED_LABELS = {
  connecting: ["busy", "Connecting…"],
  live: ["good", "Live"],
  paused: ["quiet", "Paused"],
  offline: ["bad", "Offline, trying again"],
};

const app = document.getElementById("app");
const main = h("main", { id: "main" });
const links = new Map(VIEWS.map(([name, title]) => [name, h("a", { href: `#/${name}` }, title)]));
const feedBadge = h("span", { role: "status" });
let view = new AbortController(); // aborts when one leaves it
let signedIn = false;

async function begin() {
  try {
    showFrame(await get("session"));
  } catch (problem) {
    if (problem.status === 401) return showSignIn();
    const again = h("button", { type: "button", onclick: begin }, "Try again");
    fill(app, h("main", { class: "alone" }, h("h1", {}, "Chamade SIP"), problemBox(problem, again)));
  }
}

async function showSignIn(reason) {
  signedIn = false;
  view.abort();
  stopFeed();
  const { signInPage } = await import("./pages/signin.js");
  fill(app, signInPage(showFrame, reason));
  document.title = "Sign in – Chamade SIP";
  app.querySelector("h1").focus();
}

function showFrame(session) {
  signedIn = true;
  fill(app, h("div", { class: "frame" }, skipLink(), sidebar(session), main));
  startFeed(document);
  showView();
}

async function signOut() {
  const { endConversations } = await import("./call/conversation.js");
  endConversations();
  await request("DELETE", "session");
  location.hash = "";
  await showSignIn();
}

function skipLink() {
  const skip = (event) => {
    event.preventDefault();
    main.querySelector("h1")?.focus();
  };
  return h("a", { class: "skip", href: "#main", onclick: skip }, "Skip to content");
}

function sidebar(session) {
  const mark = { src: new URL("mark.svg", import.meta.url).href, alt: "", width: 28, height: 28 };
  return h(
    "header",
    { class: "side" },
    h("p", { class: "brand" }, h("img", mark), "Chamade SIP"),
    h("nav", { "aria-label": "Sections" }, [...links.values()]),
    h(
      "div",
      { class: "foot" },
      feedBadge,
      h("p", { class: "fine account" }, session.account_name || session.account_id),
      themeChoice(),
      button("Sign out", signOut, { class: "small" }),
    ),
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

/** Find the view of the address: its section of the navigation, its module, and its parameter. */
function currentView() {
  const [, name, param] = /^#\/([a-z]+)(?:\/(.*))?$/.exec(location.hash) ?? [];
  const [section, load] = DETAILS[name] ?? sectionNamed(name) ?? sectionNamed(VIEWS[0][0]);
  return { section, load, param: param ?? "" };
}

function sectionNamed(name) {
  const found = VIEWS.find(([id]) => id === name);
  return found && [found[0], found[2]];
}

async function showView() {
  if (!signedIn) return;
  view.abort();
  view = new AbortController();
  const { signal } = view;
  const { section, load, param } = currentView();
  markSection(section);
  // Whoever goes on before this view has loaded sees no more of it: neither it, nor that it loads.
  const waiting = setTimeout(() => signal.aborted || fill(main, skeleton()), 150);
  try {
    const module = await load();
    if (signal.aborted) return;
    fill(main, module.show(decodeURIComponent(param), signal));
  } catch (problem) {
    if (signal.aborted) return;
    const again = h("button", { type: "button", onclick: showView }, "Try again");
    fill(main, h("h1", { tabindex: -1 }, "This did not load"), problemBox(problem, again));
  } finally {
    clearTimeout(waiting);
  }
  const title = main.querySelector("h1");
  document.title = `${title.textContent} – Chamade SIP`;
  links.get(section).scrollIntoView({ block: "nearest", inline: "center" });
  title.focus({ preventScroll: true });
  scrollTo(0, 0);
}

function markSection(section) {
  for (const [id, link] of links) {
    if (id === section) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
}

/** Show whether the page is up to date. */
function showFeedStatus(status) {
  const [tone, text] = FEED_LABELS[status];
  feedBadge.className = `badge dot ${tone}`;
  setText(feedBadge, text);
}

/** Tell, in any view, that somebody calls and waits for an answer. */
function announceRinging(events) {
  for (const { type, call_id: id } of events) {
    const call = calls.get(id);
    const waits =
      call?.state === "ringing" &&
      call.direction === "inbound" &&
      !call.auto_answer &&
      Date.parse(call.ring_deadline) > serverNow();
    if (type === "call.ringing" && waits && !isTestCall(call))
      toast(`Ringing: ${callerName(call)} calls ${formatNumber(call.to)}.`, "warn");
  }
}

onStatus(showFeedStatus);
showFeedStatus(feedStatus());
onEvents(announceRinging);
onSessionOver(() => {
  if (signedIn) showSignIn("Your session is over. Sign in again, and you are back where you were.");
});
addEventListener("hashchange", showView);
addEventListener("offline", () => toast("This device is offline.", "bad"));
applyTheme();
begin();
