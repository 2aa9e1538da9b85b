// What people call the buttons: clicks carry serial numbers alone.

import { Again } from "./again.js";
import { ask } from "./request.js";

const fold = (text) => text.trim().toLowerCase();

export class Names {
  #buttons = new Map(); // serial number -> name, place, and both as one text
  #counts = new Map(); // name, folded -> how many buttons have it
  #changed;
  #again;

  constructor({ onChange }) {
    this.#changed = onChange;
    this.#again = new Again(() => this.learn());
  }

  /** The serial numbers of all buttons, those that were pressed last first. */
  get serialNumbers() {
    return [...this.#buttons.keys()];
  }

  /** What to call a button: its name, or its serial number where it has none. */
  of(serialNumber) {
    return this.#buttons.get(serialNumber)?.name || serialNumber;
  }

  /** Name and place of a button as one text; undefined where they are not known. */
  searched(serialNumber) {
    return this.#buttons.get(serialNumber)?.searched;
  }

  /** The name by which one button alone is found; its serial number where there is none. */
  alone(serialNumber) {
    const name = this.of(serialNumber);
    return this.#counts.get(fold(name)) === 1 && !this.#buttons.has(name) ? name : serialNumber;
  }

  /** The serial number that is meant by a name or a serial number; the same text where none is. */
  meant(text) {
    if (this.#buttons.has(text) || this.#counts.get(fold(text)) !== 1) return text;
    return this.serialNumbers.find((serialNumber) => fold(this.of(serialNumber)) === fold(text));
  }

  /** Ask for the names; those of before serve meanwhile. */
  async learn() {
    this.#again.begins();
    const { buttons } = await ask("/api/names").catch(() => ({ buttons: null }));
    if (buttons === null) return;
    const known = this.#buttons;
    this.#buttons = new Map(buttons.map(({ serialNumber, name, place }) => (
      [serialNumber, { name, searched: `${name ?? ""}\n${place ?? ""}` }]
    )));
    this.#counts = new Map();
    for (const { name } of this.#buttons.values()) {
      if (name) this.#counts.set(fold(name), (this.#counts.get(fold(name)) ?? 0) + 1);
    }
    const isSame = this.#buttons.size === known.size
      && [...this.#buttons].every(([key, { searched }]) => known.get(key)?.searched === searched);
    if (!isSame) this.#changed();
  }
}
