// Elements are built here and only here. Text goes in as text, never as markup.

/**
 * Makes one element. `settings` are attributes, except `text` and `on` (listeners by event);
 * those that are null or false are left out.
 */
export function make(tag, settings = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(settings)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "text") element.textContent = value;
    else if (name === "on") {
      for (const [event, listener] of Object.entries(value)) {
        element.addEventListener(event, listener);
      }
    } else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

/** Two columns, as in page.css; in one column what is seldom needed is folded away. */
export const wide = window.matchMedia("(min-width: 60rem)");

export function byId(id) {
  return document.getElementById(id);
}

/** Says a sentence to screen readers, also when it is the same as before. */
export function announce(sentence) {
  const news = byId("news");
  news.textContent = "";
  requestAnimationFrame(() => {
    news.textContent = sentence;
  });
}

function byKey(container, key) {
  return [...container.querySelectorAll("[data-key]")].find((one) => one.dataset.key === key);
}

/** Focuses the element with this `data-key`, or else `fallback`. */
export function focusByKey(container, key, fallback) {
  (byKey(container, key) ?? fallback).focus();
}

/** Replaces the children, and moves the focus if it was on something that goes away. */
export function replaceKeepingFocus(container, children, fallback) {
  const active = document.activeElement;
  const inside = container.contains(active) && active !== container;
  container.replaceChildren(...children);
  if (inside) focusByKey(container, active.dataset.key, fallback);
}

export function milliseconds(value) {
  if (value === undefined || value === null) return "–";
  if (value === 0) return "0 ms";
  if (value < 0.01) return "< 0.01 ms";
  return `${value.toFixed(value < 1 ? 2 : value < 100 ? 1 : 0)} ms`;
}

export function bytes(value) {
  const units = ["B", "kB", "MB", "GB"];
  let unit = 0;
  let size = value;
  while (size >= 1000 && unit < units.length - 1) {
    size /= 1000;
    unit += 1;
  }
  return `${unit === 0 ? size : size.toPrecision(3)} ${units[unit]}`;
}

export function counted(number, singular, plural = `${singular}s`) {
  return `${number} ${number === 1 ? singular : plural}`;
}
