// Older clicks on demand, below the rows that are shown.

import { ask, withQuery } from "./request.js";

const PAGE = 100;

export class Older {
  #rows;
  #button;
  #said;
  #query;
  #before = null; // everything from this id on is shown
  #asking = null;

  constructor({ rows, button, said, query }) {
    this.#rows = rows;
    this.#button = button;
    this.#said = said;
    this.#query = query;
    button.addEventListener("click", () => this.load());
  }

  get isLoading() {
    return this.#asking !== null;
  }

  /** Begin anew: what is older than this id is not shown yet. Without one there is nothing yet. */
  startAt(id) {
    this.#asking?.abort();
    this.#asking = null;
    this.#before = id ?? null;
    this.#say("");
    this.#button.hidden = this.#before === null || this.#before <= 1;
  }

  async load() {
    if (this.#asking !== null) return;
    const asking = this.#asking = new AbortController();
    const before = this.#rows.forgottenFrom ?? this.#before;
    const query = { ...this.#query(), limit: PAGE, before };
    this.#button.disabled = true;
    try {
      const page = await ask(withQuery("/api/clicks", query), { signal: asking.signal });
      if (this.#asking === asking) this.#take(page);
    } catch (error) {
      if (this.#asking === asking) this.#say(`Older clicks could not be read: ${error.message}`, "bad");
    } finally {
      if (this.#asking === asking) {
        this.#asking = null;
        this.#button.disabled = false;
        this.#rows.draw();
      }
    }
  }

  #take(page) {
    const isFull = !this.#rows.append(page.clicks);
    this.#before = page.before;
    this.#button.hidden = page.before === null || isFull;
    if (isFull) this.#say(`The page shows ${this.#rows.count.toLocaleString()} clicks at most. Filter for others, or take them from a button's page as a file.`);
    else this.#say(page.before === null && this.#rows.count ? "That was the first of them." : "");
  }

  #say(words, state = "") {
    this.#said.hidden = words === "";
    this.#said.textContent = words;
    this.#said.dataset.state = state;
  }
}
