// What tells of new clicks: a pill for who has scrolled away, and words for who listens.

const QUIET_MS = 12_000; // between two announcements, however many clicks come

/** The pill that counts what came above while one reads further down. */
export class Fresh {
  #pill;
  #count = 0;
  #isAtTop = true;

  constructor({ pill, edge, scroller }) {
    this.#pill = pill;
    new IntersectionObserver(([entry]) => {
      this.#isAtTop = entry.isIntersecting;
      if (this.#isAtTop) this.clear();
    }, { rootMargin: "4px" }).observe(edge);
    pill.addEventListener("click", () => {
      scroller.scrollTop = 0;
      edge.scrollIntoView({ block: "center" });
      scroller.focus({ preventScroll: true });
    });
  }

  add(count) {
    if (this.#isAtTop || count === 0) return;
    this.#count += count;
    this.#pill.textContent = `↑ ${this.#count.toLocaleString()} new`;
    this.#pill.hidden = false;
  }

  clear() {
    this.#count = 0;
    this.#pill.hidden = true;
  }
}

/** A live region that sums up instead of reading each row. */
export class Heard {
  #region;
  #names;
  #count = 0;
  #latest = null;
  #timer = 0;

  constructor(region, names) {
    this.#region = region;
    this.#names = names;
  }

  add(clicks) {
    if (clicks.length === 0) return;
    this.#count += clicks.length;
    this.#latest = clicks.at(-1);
    this.#timer ||= setTimeout(() => this.#speak(), this.#region.textContent ? QUIET_MS : 500);
  }

  #speak() {
    this.#timer = 0;
    const { clickType, serialNumber } = this.#latest;
    const what = `${clickType.toLowerCase()} by ${this.#names.of(serialNumber)}`;
    this.#region.textContent = this.#count === 1 ? `New click: ${what}.`
      : `${this.#count} new clicks, the latest ${what}.`;
    this.#count = 0;
  }
}
