// Calls of the service, and what can go wrong with one.

const ROOT = new URL("..", import.meta.url);
const PATIENCE = 15_000; // milliseconds until a call counts as not answered
const LONGEST_WAIT = 30; // seconds of Retry-After that a visitor is made to wait

export class CallError extends Error {
  /**
   * `kind` is "unreachable", "busy" or "refused", `wait` the seconds that a busy one asked for,
   * `body` what came with it.
   */
  constructor(kind, detail, { status = 0, wait = 1, body = {} } = {}) {
    super(detail);
    this.kind = kind;
    this.status = status;
    this.wait = wait;
    this.body = body;
  }
}

function addressOf(path, query) {
  const address = new URL(path, ROOT);
  for (const [name, value] of Object.entries(query)) {
    for (const one of [value].flat()) address.searchParams.append(name, one);
  }
  return address;
}

function secondsToWait(response) {
  const header = response.headers.get("Retry-After") ?? "1";
  const seconds = /^\d+(\.\d+)?$/.test(header)
    ? Number(header)
    : (Date.parse(header) - Date.now()) / 1000;
  return Math.min(Math.max(Number.isFinite(seconds) ? seconds : 1, 0.2), LONGEST_WAIT);
}

async function failureOf(response) {
  const body = await response.json().catch(() => ({}));
  const detail = typeof body.detail === "string"
    ? body.detail
    : `The service answered with status ${response.status} and gave no reason.`;
  const kind = response.status === 503 ? "busy" : "refused";
  const { status } = response;
  return new CallError(kind, detail, { status, wait: secondsToWait(response), body });
}

async function answerOf(address, settings, signal) {
  const patience = AbortSignal.timeout(PATIENCE);
  const both = signal ? AbortSignal.any([signal, patience]) : patience;
  try {
    const response = await fetch(address, { ...settings, signal: both, cache: "no-store" });
    if (!response.ok) throw await failureOf(response);
    return await response.json();
  } catch (error) {
    if (error instanceof CallError || signal?.aborted) throw error;
    throw new CallError("unreachable", "The service does not answer.");
  }
}

/** Calls once. Gives the answer and the milliseconds until it was read. */
export async function call(path, { query = {}, body, method, headers, signal } = {}) {
  const settings = { method: method ?? (body === undefined ? "GET" : "POST"), headers };
  if (body !== undefined) {
    settings.body = JSON.stringify(body);
    settings.headers = { ...headers, "Content-Type": "application/json" };
  }
  const start = performance.now();
  const data = await answerOf(addressOf(path, query), settings, signal);
  return { data, milliseconds: performance.now() - start };
}

export function pause(seconds, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, seconds * 1000);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(signal.reason);
    }, { once: true });
  });
}

/** Calls, and once more where the service is busy, after the time that it asked for. */
export async function callPatiently(path, options = {}, onBusy = () => {}) {
  try {
    return await call(path, options);
  } catch (error) {
    if (!(error instanceof CallError) || error.kind !== "busy") throw error;
    onBusy(error);
    await pause(error.wait, options.signal);
    return call(path, options);
  }
}

/** An id that lets the service count a repeated event once. */
export function eventId() {
  const numbers = crypto.getRandomValues(new Uint8Array(16));
  return [...numbers].map((number) => number.toString(16).padStart(2, "0")).join("");
}
