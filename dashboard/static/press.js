// Sends a press, and follows it with the light: sending, published, processed or failed.

import { latency } from "./format.js";

const ANSWER_TIMEOUT_MS = 8000; // the server waits 5 s for the broker
const PROCESSED_TIMEOUT_MS = 10000;
const REMEMBERED = 500;

export class Press {
  #light;
  #outcome;
  #latest = 0; // the light follows the latest press
  #waiting = new Map(); // eventId -> what to do when it comes back
  #recent = new Map(); // eventId -> click: the click may be here before the answer to its press

  constructor({ light, outcome }) {
    this.#light = light;
    this.#outcome = outcome;
  }

  /** Send one click; resolves when the broker has it or it failed. Never rejects. */
  async send(clickType) {
    const number = ++this.#latest;
    const word = clickType.toLowerCase();
    this.#show(number, "sending", `Sending a ${word} click…`);
    try {
      const { eventId } = await post(clickType);
      this.#show(number, "published", `The broker has the ${word} click. Waiting for the function…`);
      this.#follow(number, word, eventId);
    } catch (error) {
      this.#show(number, "failed", `The ${word} click failed: ${error.message}`);
    }
  }

  /** Say which clicks have come back. */
  seen(clicks) {
    for (const click of clicks) {
      if (!click.eventId) continue;
      this.#recent.set(click.eventId, click);
      this.#waiting.get(click.eventId)?.(click);
    }
    for (const eventId of this.#recent.keys()) {
      if (this.#recent.size <= REMEMBERED) break;
      this.#recent.delete(eventId);
    }
  }

  #follow(number, word, eventId) {
    const late = setTimeout(() => {
      this.#show(number, "failed", `The broker has the ${word} click, but no function has answered ` +
        `for ${PROCESSED_TIMEOUT_MS / 1000} s. Is "iot-button functions" running?`);
    }, PROCESSED_TIMEOUT_MS);
    const done = (click) => {
      clearTimeout(late);
      this.#waiting.delete(eventId);
      const took = click.latencyMs === null ? "" : ` in ${latency(click.latencyMs)}`;
      this.#show(number, "processed", `The ${word} click was processed${took}.`);
    };
    const early = this.#recent.get(eventId);
    if (early) done(early);
    else this.#waiting.set(eventId, done);
  }

  #show(number, state, words) {
    if (number !== this.#latest) return;
    this.#light.dataset.state = state;
    this.#outcome.dataset.state = state;
    this.#outcome.textContent = words;
  }
}

async function post(clickType) {
  let response;
  try {
    response = await fetch("/api/press", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ clickType }),
      signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS),
    });
  } catch {
    throw new Error("the dashboard does not answer");
  }
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(answer.error ?? `the dashboard answers ${response.status}`);
  return answer;
}
