// How many, which variants, which categories.

import { DEFAULT_K } from "./address.js";
import { byId, counted, make, replaceKeepingFocus, wide } from "./elements.js";

function chip(group, value) {
  return make(
    "label",
    { class: "chip" },
    make("input", { type: "checkbox", name: group, value, "data-key": value }),
    ` ${value}`,
  );
}

function chosen(group) {
  return [...document.querySelectorAll(`[name=${group}]:checked`)].map((box) => box.value);
}

function check(group, values) {
  for (const box of document.querySelectorAll(`[name=${group}]`)) {
    box.checked = values.includes(box.value);
  }
}

export class Settings {
  #standard = null;

  constructor(change) {
    const fold = () => {
      byId("options").open = wide.matches;
    };
    wide.addEventListener("change", fold);
    fold();
    byId("settings").addEventListener("submit", (event) => event.preventDefault());
    byId("k").addEventListener("change", (event) => {
      if (event.target.reportValidity()) change({ k: event.target.valueAsNumber });
    });
    byId("categories").addEventListener("change", () =>
      change({ categories: chosen("category") }));
    byId("variants").addEventListener("change", () => {
      const variants = chosen("variant");
      const alone = variants.length === 1 && variants[0] === this.#standard;
      change({ variants: alone ? [] : variants });
    });
  }

  /** Offers what the served model has. */
  offer(models) {
    this.#standard = models.default_variant;
    const chips = (group, values) => values.map((value) => chip(group, value));
    const variants = chips("variant", Object.keys(models.variants));
    replaceKeepingFocus(byId("variants"), variants, byId("k"));
    replaceKeepingFocus(byId("categories"), chips("category", models.categories), byId("k"));
  }

  /** The variants to ask for; the default one where none is chosen. */
  variantsOf(state) {
    return state.variants.length ? state.variants : [this.#standard];
  }

  draw(state) {
    byId("k").value = state.k ?? DEFAULT_K;
    check("category", state.categories);
    check("variant", this.variantsOf(state));
    const films = counted(state.k ?? DEFAULT_K, "film");
    const chosen = [films, ...this.variantsOf(state), ...state.categories];
    byId("chosen").textContent = chosen.join(", ");
  }
}
