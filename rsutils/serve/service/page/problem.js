// What went wrong, in words, and what to do about it.

import { byId, make } from "./elements.js";

const COMMAND = "python -m rsutils serve MODELS";

function adviceFor(error) {
  if (error.kind === "unreachable") {
    return [
      "Start it with ",
      make("code", { text: COMMAND }),
      ", where MODELS is the folder of its models. This page goes on by itself once it answers.",
    ];
  }
  if (error.kind === "busy") return ["It was asked twice. Wait a little, then ask again."];
  if (error.kind === "refused") return ["Change what you asked for, or start afresh."];
  return ["This is a mistake of the page. Reload it."];
}

function box(sentence, advice, buttons) {
  const actions = buttons.map(([text, action]) =>
    make("button", { type: "button", text, on: { click: action } }));
  return make(
    "div",
    { class: "notice bad" },
    make("p", {}, make("strong", { text: sentence }), " ", ...advice),
    make("p", { class: "actions" }, ...actions),
  );
}

/**
 * Shows an error and what to do about it; `again` and `fresh` are what the buttons do, `advice`
 * stands in for what is said of a refusal elsewhere.
 */
export function showProblem(error, { again, fresh, advice, place = byId("problem") }) {
  const words = advice && error.kind === "refused" ? [advice] : adviceFor(error);
  const buttons = [];
  if (again) buttons.push(["Try again", again]);
  if (fresh && error.kind === "refused") buttons.push(["Start afresh", fresh]);
  place.replaceChildren(box(error.message, words, buttons));
}

export function showBusy(error) {
  const seconds = Number(error.wait.toFixed(1));
  const text = `The service is busy. It is asked again in ${seconds} s. It said: ${error.message}`;
  byId("problem").replaceChildren(make("div", { class: "notice" }, make("p", { text })));
}

export function clearProblem(place = byId("problem")) {
  place.replaceChildren();
}
