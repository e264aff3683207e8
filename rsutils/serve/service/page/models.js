// The models of the service: which one answers, and how to change that.

import { call } from "./calls.js";
import { announce, byId, make, replaceKeepingFocus } from "./elements.js";
import { clearProblem, showProblem } from "./problem.js";

const KINDS = {
  memory: "in this process",
  redis: "in Redis",
  fallback: "in this process, for now",
};

function storeInWords({ ready, queue, store = {} }) {
  const place = KINDS[store.kind] ?? store.kind ?? "unknown";
  const state = store.up === false ? ", and Redis does not answer" : "";
  return `${ready ? "Ready" : "Not ready"}. ${queue} waiting. Histories and cache are ${place}` +
    `${state}.`;
}

export class Models {
  #busy = false;
  #token = "";
  #refused = ""; // the path that was refused for want of a token

  /** `changed` is called after another model began to answer. */
  constructor(changed) {
    this.changed = changed;
    byId("token-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#token = byId("token").value;
      this.#post(this.#refused);
    });
  }

  draw(models) {
    const rows = models.models.map((name) => this.#row(name, models));
    if (models.previous) rows.unshift(this.#rollBack(models));
    replaceKeepingFocus(byId("models"), rows, byId("service-title"));
  }

  async drawStore() {
    try {
      const { data } = await call("ready");
      byId("store").textContent = storeInWords(data);
    } catch (error) {
      const said = error.body?.store; // one that is not ready yet still says how it is
      byId("store").textContent = said ? storeInWords(error.body) : error.message;
    }
  }

  #row(name, { active, previous }) {
    const tag = name === active ? "answers" : name === previous ? "the one before" : null;
    const button = make("button", {
      type: "button",
      text: "Activate",
      "aria-label": `Activate: ${name}`,
      "data-key": `activate-${name}`,
      on: { click: () => this.#post(`models/${encodeURIComponent(name)}/activate`) },
    });
    return make(
      "li",
      {},
      make("span", { class: "name", text: name }),
      tag && make("span", { class: "tag", text: tag }),
      name === active ? null : button,
    );
  }

  #rollBack({ active, previous }) {
    return make(
      "li",
      {},
      make("span", { text: `${previous} answered before ${active}.` }),
      make("button", {
        type: "button",
        text: `Roll back to ${previous}`,
        "data-key": "roll-back",
        on: { click: () => this.#post("models/roll-back") },
      }),
    );
  }

  async #post(path) {
    if (this.#busy) return;
    this.#busy = true;
    const place = byId("models-problem");
    clearProblem(place);
    byId("models-news").textContent = "Loading the model …";
    try {
      const headers = this.#token ? { Authorization: `Bearer ${this.#token}` } : {};
      const { data } = await call(path, { method: "POST", headers });
      byId("token-form").hidden = true;
      const sentence = `${data.active} answers from here on.`;
      byId("models-news").textContent = sentence;
      announce(sentence);
      await this.changed();
    } catch (error) {
      byId("models-news").textContent = "";
      showProblem(error, { place, advice: "The model that answered goes on." });
      this.#refused = path;
      byId("token-form").hidden = error.status !== 403;
    } finally {
      this.#busy = false;
    }
  }
}
