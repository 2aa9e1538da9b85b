// Sends a press, and follows it with the light: sending, published, processed or failed.

import { latency } from "./format.js";
import { ask } from "./request.js";

const PROCESSED_TIMEOUT_MS = 10000;
const REMEMBERED = 500;

export class Press {
  #light;
  #outcome;
  #button;
  #onState;
  #latest = 0; // the light follows the latest press
  #waiting = new Map(); // name -> what to do when it comes back
  #recent = new Map(); // name -> click and moment: it may be here before the answer to its press

  /**
   * serialNumber: which button is pressed; without one, the page's own.
   * onState(state): sending, published, processed or failed, for more than the eye.
   */
  constructor({ light, outcome, serialNumber, onState = () => {} }) {
    this.#onState = onState;
    this.#button = serialNumber ? { serialNumber } : {};
    this.#light = light;
    this.#outcome = outcome;
  }

  /** Send one click; resolves when the broker has it or it failed. Never rejects. */
  async send(clickType) {
    const number = ++this.#latest;
    const word = clickType.toLowerCase();
    const since = performance.now();
    this.#show(number, "sending", `Sending a ${word} click…`);
    try {
      const pressed = await ask("/api/press", { method: "POST", body: { clickType, ...this.#button } });
      this.#show(number, "published", `The broker has the ${word} click. Waiting for the function…`);
      this.#follow(number, word, pressed, since);
    } catch (error) {
      this.#show(number, "failed", `The ${word} click failed: ${error.message}`);
    }
  }

  /** Say which clicks have come back. */
  seen(clicks) {
    for (const click of clicks) {
      const name = click.eventId || nameWithoutId(click);
      this.#recent.set(name, { click, at: performance.now() });
      this.#waiting.get(name)?.(click);
    }
    for (const name of this.#recent.keys()) {
      if (this.#recent.size <= REMEMBERED) break;
      this.#recent.delete(name);
    }
  }

  #follow(number, word, pressed, since) {
    const names = [pressed.eventId, nameWithoutId(pressed)];
    const late = setTimeout(() => {
      this.#show(number, "failed", `The broker has the ${word} click, but no function has answered ` +
        `for ${PROCESSED_TIMEOUT_MS / 1000} s. Is "iot-button functions" running?`);
    }, PROCESSED_TIMEOUT_MS);
    const done = (click) => {
      clearTimeout(late);
      for (const name of names) {
        if (this.#waiting.get(name) === done) this.#waiting.delete(name);
      }
      const took = click.latencyMs === null ? "" : ` in ${latency(click.latencyMs)}`;
      this.#show(number, "processed", `The ${word} click was processed${took}.`);
    };
    const early = names.map((name) => this.#recent.get(name)).find((found) => found?.at >= since);
    if (early) done(early.click);
    else for (const name of names) this.#waiting.set(name, done);
  }

  #show(number, state, words) {
    if (number !== this.#latest) return;
    this.#light.dataset.state = state;
    this.#outcome.dataset.state = state;
    this.#outcome.textContent = words;
    this.#onState(state);
  }
}

/** What a click is known by where the function does not pass its id on. */
function nameWithoutId(click) {
  return `${click.serialNumber} ${click.clickType}`;
}
