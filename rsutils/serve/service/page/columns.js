// The answers of the chosen variants, next to each other.

import { cards } from "./cards.js";
import { bytes, make, milliseconds, wide } from "./elements.js";
import { compareLists, placesInOthers } from "./moves.js";

const CACHE = {
  hit: "hit: kept from an earlier request",
  miss: "miss: worked out for this request",
  stale: "stale: an older answer, being renewed",
};

let figuresOpen = false; // where they are folded; kept when the lists are drawn anew

const MAIN_METRICS = /^(hr|ndcg)@\d+$/;

function percent(share) {
  return `${Math.round(100 * share)} %`;
}

function facts(title, pairs) {
  const rows = pairs.filter(([, value]) => value !== null && value !== undefined);
  return make(
    "div",
    { class: "facts" },
    make("h4", { text: title }),
    make("dl", {}, ...rows.map(([name, value]) =>
      make("div", {}, make("dt", { text: name }), make("dd", { text: value })))),
  );
}

function answerFacts({ data, milliseconds: browser }) {
  const stages = Object.entries(data.stages ?? {});
  const parts = stages.map(([name, value]) => `${name} ${milliseconds(value)}`).join(", ");
  return facts("This answer", [
    ["Source", data.source === "model" ? `model ${data.model}` : `${data.source}, no model`],
    ["Cache", CACHE[data.cache] ?? data.cache],
    ["In the browser", milliseconds(browser)],
    ["In the service", milliseconds(data.milliseconds)],
    ["Stages", parts || null],
  ]);
}

function measured({ median, count }) {
  return count ? `${milliseconds(median)} (median of ${count})` : "not yet";
}

function sizeInWords(known, first) {
  const share = known === first ? "" : `, ${percent(known.bytes / first.bytes)} of the first`;
  return bytes(known.bytes) + share;
}

/** The main metrics with their intervals, which stand beside them under a name of their own. */
function qualityPairs(quality) {
  const metrics = Object.entries(quality).filter(([name, value]) =>
    MAIN_METRICS.test(name) && typeof value === "number");
  return metrics.map(([name, value]) => {
    const [low, high] = quality[`${name}_interval`] ?? [];
    const interval = low === undefined ? "" : ` (${low.toFixed(3)} to ${high.toFixed(3)})`;
    return [name.toUpperCase(), value.toFixed(4) + interval];
  });
}

function variantFacts(data, known, first, times) {
  if (!known) return null;
  const overlap = known.top10_overlap;
  return facts("This variant", [
    ["On disk", sizeInWords(known, first ?? known)],
    ...qualityPairs(known.quality ?? {}),
    ["Same top 10 at export", overlap === undefined ? null : percent(overlap)],
    ["p50 at export", known.p50_ms === undefined ? null : milliseconds(known.p50_ms)],
    ["Ranking, measured", measured(times.of(data, "ranking"))],
    ["Request, measured", measured(times.of(data, "browser"))],
  ]);
}

function figures(place, ...both) {
  const all = make("div", { class: "both-facts" }, ...both);
  if (wide.matches) return all;
  const toggle = (event) => {
    figuresOpen = event.target.open;
  };
  const title = make("summary", { "data-key": `${place}-figures`, text: "Time, size and quality" });
  return make("details", { open: figuresOpen, on: { toggle } }, title, all);
}

function lastResort(known) {
  const why = known
    ? "The model could not answer this time."
    : "Nothing is known yet of who asks, so the model has nothing to go by.";
  return make("p", {
    class: "notice",
    text: `Popular films, the last resort. ${why}`,
  });
}

/** Sentences on how the other lists differ from the first, and the moves of each list. */
export function compareAll(answers) {
  const ids = answers.map(({ data }) => data.items.map((item) => item.item));
  const [first, ...others] = answers.map(({ data }) => data.variant);
  const compared = ids.slice(1).map((list) => compareLists(ids[0], list));
  const sentences = compared.map(({ shared, same }, index) =>
    `${others[index]} shows ${shared} of the ${ids[0].length} films of ${first}, ` +
    `${same} of them in the same place.`);
  const places = placesInOthers(ids[0], ids.slice(1), others);
  return { sentences, moves: [places, ...compared.map((one) => one.moves)], reference: first };
}

/** One column a variant; `context` has `variants`, `times`, `known`, `seen` and `like`. */
export function columns(answers, context) {
  const several = answers.length > 1;
  const { moves, reference } = compareAll(answers);
  const first = context.variants[answers[0].data.variant];
  return answers.map((answer, index) => {
    const { data } = answer;
    const settings = { place: `list${index}`, seen: context.seen, like: context.like };
    if (several) Object.assign(settings, { moves: moves[index], reference });
    const name = make("h3", { text: data.variant });
    if (several && index === 0) {
      name.append(" ", make("small", { text: "the others are compared with it" }));
    }
    return make(
      "section",
      { class: "column panel", "data-variant": data.variant, "aria-label": data.variant },
      name,
      figures(
        settings.place,
        answerFacts(answer),
        variantFacts(data, context.variants[data.variant], first, context.times),
      ),
      data.source === "model" ? null : lastResort(context.known),
      cards(data.items, settings),
    );
  });
}
