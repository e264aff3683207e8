// Titles of items that the page has met; the address holds only their ids.

import { call } from "./calls.js";

const titles = new Map();

export function learnTitles(items) {
  for (const { item, title, reason } of items) {
    titles.set(item, title);
    if (reason?.item && reason.title) titles.set(reason.item, reason.title);
  }
}

export function titleOf(item) {
  return titles.get(item) ?? `Film ${item}`;
}

/** Learns titles that only the service knows: what is similar to an item names that item. */
export async function askTitles(items, signal) {
  for (const item of items.filter((one) => !titles.has(one))) {
    const { data } = await call("similar", { query: { item, k: 1 }, signal });
    learnTitles(data.items);
  }
}
