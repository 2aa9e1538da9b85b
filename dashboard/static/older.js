// Older clicks on demand, below the rows that are shown.

import { ask, withQuery } from "./request.js";

const TURNS = 10;

export class Older {
  #rows;
  #button;
  #said;
  #query;
  #limit;
  #before = null; // everything from this id on is shown
  #asking = null;

  constructor({ rows, button, said, query, page = 100 }) {
    this.#limit = page;
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

  /** Begin with the newest: nothing is shown yet. */
  startFromNow() {
    this.startAt(undefined);
  }

  /** Offer what has been taken away at the end since. */
  offer() {
    if (this.#rows.forgottenFrom === null || this.#rows.isFull || this.#asking !== null) return;
    if (this.#button.hidden) this.#say("");
    this.#button.hidden = false;
  }

  async load() {
    if (this.#asking !== null) return;
    const asking = this.#asking = new AbortController();
    this.#button.disabled = true;
    try {
      const page = await this.#readBelow(asking.signal);
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

  /** What comes below the rows that are shown, also where those have changed meanwhile. */
  async #readBelow(signal) {
    this.#rows.expect(this.#limit);
    for (let turn = 1; ; turn += 1) {
      const { forgottenFrom } = this.#rows;
      const query = { ...this.#query(), limit: this.#limit, before: forgottenFrom ?? this.#before };
      const page = await this.#read(query, signal);
      if (this.#rows.forgottenFrom === forgottenFrom) return page;
      if (turn === TURNS) throw new Error("too many new ones come in");
    }
  }

  /** A page, or the next that has something: a search looks through a part at a time. */
  async #read(query, signal) {
    for (let turn = 1; ; turn += 1) {
      const page = await ask(withQuery("/api/clicks", query), { signal });
      if (page.clicks.length || page.before === null || turn === TURNS) return page;
      query.before = page.before;
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
