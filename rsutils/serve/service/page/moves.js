// What changed from one list to another, and medians of what was measured.

/**
 * Compares the ids of two lists, best first.
 * `moves` has one entry for each id of `other`: "only", "same", "up" or "down", with the places
 * counted from 1.
 */
export function compareLists(reference, other) {
  const before = new Map(reference.map((item, index) => [item, index + 1]));
  const moves = new Map();
  other.forEach((item, index) => {
    const from = before.get(item);
    const to = index + 1;
    if (from === undefined) moves.set(item, { kind: "only", to });
    else if (from === to) moves.set(item, { kind: "same", from, to });
    else moves.set(item, { kind: to < from ? "up" : "down", from, to });
  });
  const kinds = [...moves.values()].map((move) => move.kind);
  const shared = kinds.filter((kind) => kind !== "only").length;
  return { moves, shared, same: kinds.filter((kind) => kind === "same").length };
}

/** Where the others have what the first list has: "in others", or "only" where one lacks it. */
export function placesInOthers(first, others, names) {
  return new Map(first.map((item) => {
    const places = others.map((list) => list.indexOf(item) + 1);
    const words = places.map((place, index) =>
      place ? `place ${place} in ${names[index]}` : `not in ${names[index]}`).join(", ");
    const kind = places.includes(0) ? "only" : "others";
    return [item, { kind, words: words.charAt(0).toUpperCase() + words.slice(1) }];
  }));
}

export function moveInWords(move, reference) {
  if (move.words) return move.words;
  if (move.kind === "only") return `Not in ${reference}`;
  if (move.kind === "same") return `Same place as in ${reference}`;
  const places = Math.abs(move.from - move.to);
  const arrow = move.kind === "up" ? "▲" : "▼";
  return `${arrow} ${places} ${move.kind}, place ${move.from} in ${reference}`;
}

export function median(numbers) {
  if (!numbers.length) return undefined;
  const sorted = [...numbers].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

const KEPT = 50;

/** The last times of each variant of each model. */
export class Times {
  #lists = new Map();

  #list(answer, what) {
    const key = JSON.stringify([answer.model, answer.variant, what]);
    if (!this.#lists.has(key)) this.#lists.set(key, []);
    return this.#lists.get(key);
  }

  /** Popularity tells nothing of a variant; the ranking counts only where it ran. */
  add(answer, browser) {
    if (answer.source !== "model") return;
    const ranking = answer.cache === "miss" ? answer.stages?.ranking : undefined;
    for (const [what, value] of [["browser", browser], ["ranking", ranking]]) {
      if (value === undefined) continue;
      const list = this.#list(answer, what);
      list.push(value);
      if (list.length > KEPT) list.shift();
    }
  }

  of(answer, what) {
    const list = this.#list(answer, what);
    return { median: median(list), count: list.length };
  }
}
