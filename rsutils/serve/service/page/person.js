// For whom: a user of the service, or a history that is built on the page.

import { CallError, call } from "./calls.js";
import { byId, counted, make, replaceKeepingFocus } from "./elements.js";
import { askTitles, learnTitles, titleOf } from "./titles.js";

const PICKS = 6;
const FEW = 6; // films of a history that are shown at first

/** What the service knows of a user, newest first; nothing of somebody unknown. */
async function askHistory(user, signal) {
  try {
    const path = `users/${encodeURIComponent(user)}/history`;
    const { data } = await call(path, { query: { limit: 50 }, signal });
    learnTitles(data.items);
    return data.items.map(({ item }) => item);
  } catch (error) {
    if (error instanceof CallError && error.status === 404) return [];
    throw error;
  }
}

/** The items of the history that counts, newest first, with their titles learnt. */
export async function historyOf(state, signal) {
  if (state.own) {
    await askTitles(state.history, signal);
    return [...state.history].reverse();
  }
  return state.user ? askHistory(state.user, signal) : [];
}

export class Person {
  #all = false;
  #items = [];
  #state = null;

  /** `change` gets the parts of the state that change, `focusSearch` moves the focus there. */
  constructor(change, focusSearch) {
    this.change = change;
    this.focusSearch = focusSearch;
    for (const radio of document.querySelectorAll("[name=whose]")) {
      radio.addEventListener("change", () =>
        change({ own: radio.value === "own", user: "", history: [] }));
    }
    byId("user-form").addEventListener("submit", (event) => {
      event.preventDefault();
      change({ own: false, user: byId("user").value.trim(), history: [] });
    });
    byId("clear").addEventListener("click", () => {
      change({ history: [] });
      focusSearch();
    });
    byId("history-more").addEventListener("click", () => {
      this.#all = !this.#all;
      this.#drawHistory();
    });
  }

  drawUsers(users) {
    const films = (user) => counted(user.interactions, "film");
    byId("user-list").replaceChildren(...users.map((user) =>
      make("option", { value: user.user, label: `${user.user}: ${films(user)}` })));
    const picks = users.slice(0, PICKS).map((user) => make(
      "button",
      {
        type: "button",
        class: "pick",
        "data-key": user.user,
        on: { click: () => this.change({ own: false, user: user.user, history: [] }) },
      },
      make("strong", { text: user.user }),
      make("span", { class: "small muted", text: ` ${films(user)}` }),
    ));
    replaceKeepingFocus(byId("user-picks"), picks, byId("user"));
  }

  /** Puts the state into the controls. */
  drawChoice(state) {
    if (state.own !== this.#state?.own || state.user !== this.#state?.user) this.#all = false;
    this.#state = state;
    document.querySelector(`[name=whose][value=${state.own ? "own" : "user"}]`).checked = true;
    byId("user-part").hidden = state.own;
    byId("user").value = state.user;
    for (const pick of byId("user-picks").children) {
      pick.setAttribute("aria-pressed", String(pick.dataset.key === state.user));
    }
    byId("search-label").textContent = state.user
      ? `Add a film that user ${state.user} has seen`
      : "Add a film that you have seen";
  }

  drawItems(items) {
    this.#items = items;
    this.#drawHistory();
  }

  #emptyText() {
    if (this.#state.own) return "Empty. Search for a film that you have seen and add it.";
    if (this.#state.user) return `The service knows nothing of user ${this.#state.user} yet.`;
    return "Nobody is chosen. Choose a user, or add a film to begin a history.";
  }

  #drawHistory() {
    const { own } = this.#state;
    const shown = this.#all ? this.#items : this.#items.slice(0, FEW);
    const rows = shown.map((item, index) => this.#row(item, index));
    if (!rows.length) rows.push(make("li", { class: "muted empty", text: this.#emptyText() }));
    replaceKeepingFocus(byId("history"), rows, byId("history-title"));
    const number = this.#items.length;
    byId("history-title").textContent = number ? `History (${number})` : "History";
    byId("clear").hidden = !own || !number;
    const more = byId("history-more");
    more.hidden = number <= FEW;
    more.textContent = this.#all ? "Show fewer" : `Show all ${number}`;
    more.setAttribute("aria-expanded", String(this.#all));
  }

  #row(item, index) {
    const title = titleOf(item);
    const remove = make("button", {
      type: "button",
      class: "quiet",
      text: "Remove",
      "aria-label": `Remove: ${title}`,
      "data-key": `remove-${index}`,
      on: { click: () => this.#remove(item) },
    });
    return make("li", {}, make("span", { text: title }), this.#state.own ? remove : null);
  }

  #remove(item) {
    this.change({ history: this.#state.history.filter((one) => one !== item) });
  }
}
