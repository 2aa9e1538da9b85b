// Asks the dashboard's API. A failure is an Error whose message can be shown to a person.

import { sessionHeaders } from "./session.js";

const ANSWER_TIMEOUT_MS = 8000; // the server waits 5 s for the broker

/** Ask and return the JSON of the answer; null where there is none (204). */
export async function ask(path, { method = "GET", body, signal, timeout } = {}) {
  const patience = AbortSignal.timeout(timeout ?? ANSWER_TIMEOUT_MS);
  let response;
  const headers = method === "GET" ? {} : sessionHeaders();
  if (body !== undefined) headers["Content-Type"] = "application/json";
  try {
    response = await fetch(path, {
      method,
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: signal ? AbortSignal.any([signal, patience]) : patience,
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Error("the dashboard does not answer");
  }
  if (response.status === 204) return null;
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(answer.error ?? `the dashboard answers ${response.status}`);
  return answer;
}

/** A path with a query of the values that are there. */
export function withQuery(path, values) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(values)) {
    if (value !== null && value !== undefined && value !== "") query.set(name, value);
  }
  return query.size ? `${path}?${query}` : path;
}

/** Minutes that local time is ahead of UTC: the API's days are cut by it. */
export const offset = () => -new Date().getTimezoneOffset();
