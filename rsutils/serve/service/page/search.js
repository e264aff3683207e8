// Search by title: a combobox whose list is walked through by the arrow keys.

import { call } from "./calls.js";
import { byId, counted, make } from "./elements.js";
import { learnTitles } from "./titles.js";

const DELAY = 150; // milliseconds of silence before the service is asked
const LIMIT = 12;

export class Search {
  #input = byId("search");
  #list = byId("search-list");
  #help = byId("search-help");
  #found = [];
  #active = -1;
  #timer = 0;
  #running = null;

  /** `add` gets the chosen item; `fail` the error where the service cannot be asked. */
  constructor(add, fail) {
    this.add = add;
    this.fail = fail;
    this.#input.addEventListener("input", () => this.#later());
    this.#input.addEventListener("keydown", (event) => this.#key(event));
    this.#input.addEventListener("blur", () => this.#close());
    // The list would be gone before the click if the input lost the focus.
    this.#list.addEventListener("mousedown", (event) => event.preventDefault());
    this.#list.addEventListener("click", (event) => {
      const option = event.target.closest("[role=option]");
      if (option) this.#choose([...this.#list.children].indexOf(option));
    });
  }

  focus() {
    this.#input.focus();
  }

  #later() {
    clearTimeout(this.#timer);
    this.#running?.abort();
    this.#timer = setTimeout(() => this.#ask(), DELAY);
  }

  async #ask() {
    const text = this.#input.value.trim();
    if (!text) {
      this.#help.textContent = "";
      return this.#close();
    }
    this.#running = new AbortController();
    const { signal } = this.#running;
    try {
      const { data } = await call("items", { query: { text, limit: LIMIT }, signal });
      this.#show(data.items, text);
    } catch (error) {
      if (signal.aborted) return undefined;
      this.#close();
      this.fail(error);
    }
    return undefined;
  }

  #show(items, text) {
    learnTitles(items);
    this.#found = items;
    this.#list.replaceChildren(...items.map(({ title, categories }, index) => make(
      "li",
      { role: "option", id: `search-option-${index}`, "aria-selected": "false" },
      make("span", { text: title }),
      " ",
      make("span", { class: "muted small", text: categories.join(", ") }),
    )));
    this.#help.textContent = items.length
      ? `${counted(items.length, "film")}. Arrow keys to choose, Enter to add, Escape to close.`
      : `No title contains “${text}”.`;
    this.#move(-1);
    this.#setOpen(items.length > 0 && document.activeElement === this.#input);
  }

  #setOpen(open) {
    this.#list.hidden = !open;
    this.#input.setAttribute("aria-expanded", String(open));
  }

  #close() {
    clearTimeout(this.#timer);
    this.#running?.abort();
    this.#move(-1);
    this.#setOpen(false);
  }

  #move(to) {
    this.#active = to;
    [...this.#list.children].forEach((option, index) => {
      option.setAttribute("aria-selected", String(index === to));
      if (index === to) option.scrollIntoView({ block: "nearest" });
    });
    if (to < 0) this.#input.removeAttribute("aria-activedescendant");
    else this.#input.setAttribute("aria-activedescendant", `search-option-${to}`);
  }

  #key(event) {
    const open = !this.#list.hidden;
    const last = this.#found.length - 1;
    if (event.key === "Escape") {
      if (!open) this.#input.value = "";
      this.#close();
    } else if (event.key === "ArrowDown" && !open) this.#ask();
    else if (!open) return;
    else if (event.key === "ArrowDown") this.#move(this.#active >= last ? 0 : this.#active + 1);
    else if (event.key === "ArrowUp") this.#move(this.#active <= 0 ? last : this.#active - 1);
    else if (event.key === "Enter" && this.#active >= 0) this.#choose(this.#active);
    else return;
    event.preventDefault();
  }

  #choose(index) {
    const chosen = this.#found[index];
    this.#input.value = "";
    this.#help.textContent = "";
    this.#close();
    this.add(chosen.item);
  }
}
