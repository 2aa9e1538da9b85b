// Has a page read anew what no event of the live feed tells, for as long as somebody looks at it.

const EVERY_MS = 60_000;

const hourOf = (time) => new Date(time).setMinutes(0, 0, 0);

export class Again {
  #read;
  #at = Date.now();

  constructor(read) {
    this.#read = read;
    setInterval(() => this.#ifDue(), EVERY_MS);
    document.addEventListener("visibilitychange", () => this.#ifDue());
  }

  /** Whether another hour, and so perhaps another day, has begun since the last reading. */
  get isOtherHour() {
    return hourOf(this.#at) !== hourOf(Date.now());
  }

  /** Say that a reading begins. */
  begins() {
    this.#at = Date.now();
  }

  #ifDue() {
    // A timer may fire a little early, and another reading may just have been.
    if (!document.hidden && Date.now() - this.#at > EVERY_MS / 2) this.#read();
  }
}
