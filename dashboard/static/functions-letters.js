// Dead letters: why, what the function was given, and the way to run them again.

import { ask } from "./request.js";
import { confirm } from "./functions-confirm.js";
import { count, put } from "./functions-words.js";
import { age, inFull } from "./format.js";

const byId = (id) => document.getElementById(id);
const template = byId("letter").content.firstElementChild;

export class Letters {
  #path;
  #onChanged;
  #known = -1; // how many there were when they were read
  #total = 0;

  constructor(path, { onChanged }) {
    this.#path = path;
    this.#onChanged = onChanged;
    byId("redrive-all")?.addEventListener("click", () => this.#askForAll());
  }

  /** Hear how many there are; another number than before, and they are read. */
  counted(total) {
    this.#total = total;
    if (total === this.#known) return;
    this.#known = total;
    this.read();
  }

  async read() {
    try {
      const { deadLetters } = await ask(`${this.#path}/deadletters`);
      byId("letters").replaceChildren(...deadLetters.map((letter) => this.#element(letter)));
      this.#say(deadLetters.length);
    } catch (error) {
      this.#known = -1;
      put(byId("letters-said"), `They could not be read: ${error.message}`);
    }
  }

  #say(shown) {
    const all = byId("redrive-all");
    if (all) all.hidden = shown === 0;
    const more = this.#total > shown ? `; the newest ${count(shown)} are shown` : "";
    put(byId("letters-said"), shown ? `${count(this.#total)} failed for good${more}.` : "None: whatever came was processed, or still is.");
  }

  #element(letter) {
    const element = template.cloneNode(true);
    const find = (selector) => element.querySelector(selector);
    find(".why bdi").textContent = letter.reason || "no reason given";
    const time = find("time");
    Object.assign(time, { dateTime: letter.failedAt, title: inFull(letter.failedAt), textContent: age(letter.failedAt) });
    if (letter.attempts !== null) find(".attempts").textContent = `, after ${letter.attempts} attempt${letter.attempts === 1 ? "" : "s"}`;
    const id = find(".id");
    id.hidden = letter.requestId === null;
    Object.assign(id, { textContent: letter.requestId ?? "", value: letter.requestId ?? "" });
    find("pre").textContent = letter.payloadIsBase64 ? `base64: ${letter.payload}` : letter.payload;
    const again = find(".again");
    again?.setAttribute("aria-label", `Run again: dead letter ${letter.id}`);
    again?.addEventListener("click", () => this.#redrive(letter.id, again));
    return element;
  }

  async #redrive(id, button) {
    button.disabled = true;
    try {
      await this.#send(id);
    } catch (error) {
      button.disabled = false;
      put(byId("letters-said"), `Not run again: ${error.message}`);
    }
  }

  #askForAll() {
    const words = "Each of their events is queued again as if it had just come, those that are not shown too.";
    confirm({ title: `Run ${count(this.#total)} dead letters again?`, words, yes: "Run all of them" }, () => this.#send(null));
  }

  async #send(id) {
    await ask(`${this.#path}/redrive`, { method: "POST", body: { id } });
    this.#known = -1;
    await this.#onChanged();
  }
}
