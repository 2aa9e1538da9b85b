// What people call the buttons: clicks carry serial numbers alone, but are found by name and place.

import { Again } from "./again.js";
import { ask } from "./request.js";

export class Names {
  #searched = new Map(); // serial number -> name and place
  #changed;
  #isWanted;
  #again;

  constructor({ isWanted, onChange }) {
    this.#isWanted = isWanted;
    this.#changed = onChange;
    this.#again = new Again(() => this.learn());
  }

  /** Name and place of a button as one text; undefined where they are not known. */
  of(serialNumber) {
    return this.#searched.get(serialNumber);
  }

  /** Ask for the names, where they are wanted; those of before serve meanwhile. */
  async learn() {
    if (!this.#isWanted()) return;
    this.#again.begins();
    const { buttons } = await ask("/api/buttons").catch(() => ({ buttons: null }));
    if (buttons === null) return;
    const named = buttons.filter(({ name, place }) => name || place);
    const found = new Map(named.map((it) => [it.serialNumber, `${it.name ?? ""}\n${it.place ?? ""}`]));
    const isSame = found.size === this.#searched.size && [...found].every(([key, text]) => this.of(key) === text);
    this.#searched = found;
    if (!isSame) this.#changed();
  }
}
