// "More like this": a dialog with what is similar to one film.

import { callPatiently } from "./calls.js";
import { cards } from "./cards.js";
import { byId, focusByKey, replaceKeepingFocus } from "./elements.js";
import { clearProblem, showProblem } from "./problem.js";
import { learnTitles, titleOf } from "./titles.js";

const NUMBER = 10;

export class Like {
  #dialog = byId("like");
  #shown = "";
  #opener = document.body;

  /**
   * `seen` is called with an id and tells whether it was kept, `like` with an id, and `closed`
   * after the visitor closed the dialog.
   */
  constructor({ seen, like, closed }) {
    this.like = like;
    this.seen = async (item) => {
      const kept = await seen(item);
      byId("like-news").textContent = kept
        ? `${titleOf(item)} is in the history.`
        : `${titleOf(item)} was not added. Close this to see why.`;
    };
    byId("like-close").addEventListener("click", () => this.#dialog.close());
    this.#dialog.addEventListener("close", () => {
      const byVisitor = this.#shown !== "";
      this.#shown = "";
      // The list below may have been renewed, and the button that opened this with it.
      if (!this.#opener.isConnected || this.#opener === document.body) {
        focusByKey(byId("lists"), this.#opener.dataset.key, byId("results"));
      }
      if (byVisitor) closed();
    });
  }

  /** Shows what is similar to `item`; "" closes. */
  async show(item) {
    if (item === this.#shown) return;
    this.#shown = item;
    if (!item) {
      this.#dialog.close();
      return;
    }
    byId("like-title").textContent = `More like ${titleOf(item)}`;
    byId("like-news").textContent = "Loading …";
    if (!this.#dialog.open) {
      byId("like-list").replaceChildren();
      this.#opener = document.activeElement;
      this.#dialog.showModal();
    }
    byId("like-title").focus();
    await this.#ask(item);
  }

  async #ask(item) {
    const place = byId("like-problem");
    try {
      const { data } = await callPatiently("similar", { query: { item, k: NUMBER } });
      if (item !== this.#shown) return;
      learnTitles(data.items);
      clearProblem(place);
      byId("like-news").textContent = "";
      byId("like-title").textContent = `More like ${titleOf(item)}`;
      const list = cards(data.items, { place: "like", seen: this.seen, like: this.like });
      replaceKeepingFocus(byId("like-list"), [list], byId("like-title"));
    } catch (error) {
      byId("like-news").textContent = "";
      byId("like-list").replaceChildren();
      const again = () => this.#ask(item);
      showProblem(error, { place, again, advice: "Close this and choose another film." });
    }
  }
}
