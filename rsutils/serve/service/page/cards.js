// One recommended film, and a list of them.

import { counted, make } from "./elements.js";
import { moveInWords } from "./moves.js";

function reasonInWords({ kind, title, item }) {
  const name = title ?? (item ? `film ${item}` : null);
  if (kind === "because" && name) return `Because you saw ${name}`;
  if (kind === "similar" && name) return `Similar to ${name}`;
  if (kind === "popular") return "Popular with everybody";
  return `Reason: ${kind}`;
}

/** Shares of the widest bar; where scores are negative, the lowest has the shortest bar. */
function barLengths(scores) {
  const lowest = Math.min(0, ...scores);
  const span = Math.max(...scores) - lowest;
  return scores.map((score) => (span > 0 ? Math.max((score - lowest) / span, 0.03) : 1));
}

function scoreBar(score, length) {
  const fill = make("span", { class: "fill" });
  fill.style.inlineSize = `${(100 * length).toFixed(1)}%`;
  return make(
    "p",
    { class: "score" },
    make("span", { class: "bar", "aria-hidden": "true" }, fill),
    make("span", { class: "number" }, make("span", { class: "hidden", text: "Score " }),
      score.toFixed(3).replace("-", "−")),
  );
}

function action(text, item, key, act) {
  return make("button", {
    type: "button",
    class: "quiet",
    text,
    "aria-label": `${text}: ${item.title}`,
    "data-key": key,
    on: { click: () => act(item.item) },
  });
}

function movement(move, reference) {
  if (!move) return null;
  return make("p", { class: `move ${move.kind}`, text: moveInWords(move, reference) });
}

function card(item, rank, length, { place, seen, like, move, reference }) {
  const tags = item.categories.map((text) => make("li", { text }));
  return make(
    "li",
    { class: `card ${move?.kind ?? ""}`, "data-item": item.item },
    make("span", { class: "rank", "aria-hidden": "true", text: String(rank) }),
    make(
      "div",
      { class: "about" },
      make("p", { class: "title", text: item.title }),
      make("ul", { class: "tags", "aria-label": "Categories" }, ...tags),
      make("p", { class: "reason", text: reasonInWords(item.reason) }),
      movement(move, reference),
    ),
    scoreBar(item.score, length),
    make(
      "div",
      { class: "actions" },
      action("I have seen this", item, `${place}-${rank}-seen`, seen),
      action("More like this", item, `${place}-${rank}-like`, like),
    ),
  );
}

/**
 * A list of films. `settings` has `place` (a name of the list, by which the focus is found
 * again), `seen` and `like` (called with an id), and, to compare, `moves` and `reference`.
 */
export function cards(items, settings) {
  if (!items.length) {
    return make("p", {
      class: "empty muted",
      text: "No film fits. Choose other categories, or none for all films.",
    });
  }
  const lengths = barLengths(items.map((item) => item.score));
  return make(
    "ol",
    { class: "cards", "aria-label": `${counted(items.length, "film")}, best first` },
    ...items.map((item, index) => card(item, index + 1, lengths[index], {
      ...settings,
      move: settings.moves?.get(item.item),
    })),
  );
}
