// What is shown stands in the address, so that it can be shared, reloaded and gone back to.

export const DEFAULT_K = 10;
const LARGEST_K = 100;

/** `own` is true where the history is built on the page; then there is no user. */
export function readAddress(search) {
  const parts = new URLSearchParams(search);
  const own = parts.has("history");
  const k = Number(parts.get("k"));
  return {
    own,
    user: own ? "" : (parts.get("user") ?? ""),
    history: parts.getAll("history").filter(Boolean),
    k: Number.isInteger(k) && k >= 1 && k <= LARGEST_K ? k : DEFAULT_K,
    categories: parts.getAll("category"),
    variants: parts.getAll("variant"),
    like: parts.get("like") ?? "",
  };
}

export function writeAddress(state) {
  const parts = new URLSearchParams();
  if (state.own) {
    for (const item of state.history.length ? state.history : [""]) parts.append("history", item);
  } else if (state.user) parts.set("user", state.user);
  if (state.k !== DEFAULT_K) parts.set("k", state.k);
  for (const category of state.categories) parts.append("category", category);
  for (const variant of state.variants) parts.append("variant", variant);
  if (state.like) parts.set("like", state.like);
  const text = parts.toString();
  return text ? `?${text}` : window.location.pathname;
}
