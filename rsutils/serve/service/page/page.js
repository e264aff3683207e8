// The page: its state, and what is asked when the state changes.

import { readAddress, writeAddress } from "./address.js";
import { CallError, call, callPatiently, eventId, pause } from "./calls.js";
import { columns, compareAll } from "./columns.js";
import { announce, byId, counted, make, milliseconds, replaceKeepingFocus } from "./elements.js";
import { Like } from "./like.js";
import { Models } from "./models.js";
import { Times } from "./moves.js";
import { Person, historyOf } from "./person.js";
import { clearProblem, showBusy, showProblem } from "./problem.js";
import { Search } from "./search.js";
import { Settings } from "./settings.js";
import { learnTitles } from "./titles.js";

const USERS = 20;
const LONGEST_HISTORY = 100; // of a history built here, so that the address stays short
const SHORT = 250; // milliseconds that pass before the page says that it waits

const times = new Times();
let state = readAddress(window.location.search);
let served = null; // what /models says
let users = [];
let known = []; // the history that counts, newest first
let answers = [];
let running = new AbortController();
let recovering = false;

const person = new Person(change, () => search.focus());
const search = new Search(seen, fail);
const settings = new Settings(change);
const models = new Models(start);
const like = new Like({ seen, like: showLike, closed: () => change({ like: "" }) });

/** Changes parts of the state, keeps them in the address, and asks anew. */
function change(parts) {
  state = { ...state, ...parts };
  window.history.pushState(null, "", writeAddress(state));
  show(Object.keys(parts).every((name) => name === "like"));
}

function show(onlyLike) {
  person.drawChoice(state);
  settings.draw(state);
  like.show(state.like);
  if (!onlyLike) renew();
}

function showLike(item) {
  change({ like: item });
}

/**
 * A known user's films go to the service; those of a history built here stay in the page.
 * Tells whether the film was kept.
 */
async function seen(item) {
  if (state.own || !state.user) {
    const history = [...state.history.filter((one) => one !== item), item];
    change({ own: true, user: "", history: history.slice(-LONGEST_HISTORY) });
    return true;
  }
  const events = [{ user: state.user, item, kind: "finish", id: eventId() }];
  try {
    await callPatiently("events", { body: { events } }, showBusy);
    await renew();
    return true;
  } catch (error) {
    fail(error);
    return false;
  }
}

function requestOf(variant) {
  const { own, user, history, k, categories } = state;
  if (own) return { body: { history, k, categories, variant } };
  return { query: { ...(user ? { user } : {}), k, category: categories, variant } };
}

/** Asks for the history and the lists, one after another, so that none slows another. */
async function renew() {
  running.abort(new DOMException("Something else was asked for.", "AbortError"));
  running = new AbortController();
  const { signal } = running;
  const slow = setTimeout(() => waiting(true), SHORT);
  try {
    known = await historyOf(state, signal);
    const fresh = [];
    for (const variant of settings.variantsOf(state)) {
      const options = { ...requestOf(variant), signal };
      const answer = await callPatiently("recommend", options, showBusy);
      times.add(answer.data, answer.milliseconds);
      learnTitles(answer.data.items);
      fresh.push(answer);
    }
    if (signal.aborted) return;
    answers = fresh;
    clearProblem();
    draw();
    tell();
  } catch (error) {
    if (signal.aborted) return;
    answers = [];
    if (served) draw();
    fail(error);
  } finally {
    clearTimeout(slow);
    if (!signal.aborted) waiting(false);
  }
}

function waiting(on) {
  byId("progress").hidden = !on;
  byId("lists").setAttribute("aria-busy", String(on));
}

function whose() {
  if (state.own) return "for your history";
  return state.user ? `for user ${state.user}` : "for somebody unknown";
}

function draw() {
  person.drawItems(known);
  byId("results").textContent = `Recommendations ${whose()}`;
  document.title = `Recommendations ${whose()} · Film recommender`;
  const context = { variants: served.variants, times, known: known.length, seen, like: showLike };
  const shown = answers.length ? columns(answers, context) : [];
  replaceKeepingFocus(byId("lists"), shown, byId("results"));
  byId("lists").dataset.columns = answers.length;
  const sentences = answers.length > 1 ? compareAll(answers).sentences : [];
  byId("overlap").replaceChildren(...sentences.map((text) => make("li", { text })));
}

function tell() {
  const [{ data, milliseconds: browser }] = answers;
  announce(`${counted(data.items.length, "recommendation")} ${whose()}, from ` +
    `${data.source === "model" ? data.variant : data.source}, ${milliseconds(browser)}, ` +
    `cache ${data.cache}. ${byId("overlap").innerText}`);
}

function startAfresh() {
  change({ ...readAddress(""), like: "" });
}

/** Shows what went wrong; where the service is gone, waits for it and goes on. */
function fail(error) {
  if (!(error instanceof CallError)) console.error(error);
  showProblem(error, { again: start, fresh: startAfresh });
  if (error.kind === "unreachable" && !recovering) recover();
}

async function recover() {
  recovering = true;
  for (let seconds = 1; recovering; seconds = Math.min(seconds * 1.5, 10)) {
    await pause(seconds);
    const alive = await call("health").then(() => true, () => false);
    if (alive) recovering = false;
  }
  announce("The service answers again.");
  await start();
}

/** Measures the chosen variants in turn on some users, then shows the medians. */
async function measure() {
  const { signal } = running;
  const button = byId("measure");
  if (button.getAttribute("aria-disabled")) return;
  button.setAttribute("aria-disabled", "true");
  const plan = users.flatMap(({ user }) =>
    settings.variantsOf(state).map((variant) => ({ user, variant, k: state.k })));
  try {
    for (const [index, query] of plan.entries()) {
      button.textContent = `Measuring ${index + 1} of ${plan.length}`;
      const answer = await callPatiently("recommend", { query, signal }, showBusy);
      times.add(answer.data, answer.milliseconds);
    }
    clearProblem();
    draw();
    announce(`${counted(plan.length, "request")} measured.`);
  } catch (error) {
    if (!signal.aborted) fail(error);
  } finally {
    button.removeAttribute("aria-disabled");
    nameMeasure();
  }
}

function nameMeasure() {
  byId("measure").textContent = `Measure with ${counted(users.length, "user")}`;
  byId("measure").hidden = !users.length;
}

/** Learns what the service has, then shows the state. */
async function start() {
  try {
    const [first, second] = await Promise.all([
      callPatiently("models", {}, showBusy),
      callPatiently("users", { query: { limit: USERS } }, showBusy),
    ]);
    served = first.data;
    users = second.data.users;
  } catch (error) {
    fail(error);
    return;
  }
  recovering = false;
  byId("served").textContent = `Model ${served.active}, data set ${served.dataset}.`;
  person.drawUsers(users);
  settings.offer(served);
  nameMeasure();
  models.draw(served);
  models.drawStore();
  show(false);
}

window.addEventListener("popstate", () => {
  state = readAddress(window.location.search);
  if (served) show(false);
});
window.addEventListener("online", start);
byId("again").addEventListener("click", renew);
byId("measure").addEventListener("click", measure);
start();
