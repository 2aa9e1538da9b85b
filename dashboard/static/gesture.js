// Press and release moments -> SINGLE, DOUBLE or LONG, and only one of them.

export const LONG_MS = 1500; // the first press is held longer than this
export const DOUBLE_MS = 400; // the second press begins within this after the first release

export class Gesture {
  #emit;
  #state = "idle"; // idle, held, between, done
  #timer = 0;
  #since = 0;

  constructor(emit) {
    this.#emit = emit;
  }

  down(moment) {
    if (this.#state === "between") {
      const isDouble = moment - this.#since <= DOUBLE_MS;
      this.#finish(isDouble ? "DOUBLE" : "SINGLE");
    }
    if (this.#state === "idle") this.#enter("held", moment, LONG_MS, () => this.#finish("LONG"));
  }

  up(moment) {
    if (this.#state === "held") {
      // The timer may be late on a busy page; the moments are not.
      if (moment - this.#since > LONG_MS) this.#finish("LONG");
      else this.#enter("between", moment, DOUBLE_MS, () => this.#finish("SINGLE"));
    }
    if (this.#state === "done") this.#state = "idle";
  }

  cancel() {
    clearTimeout(this.#timer);
    this.#state = "idle";
  }

  #enter(state, moment, milliseconds, then) {
    clearTimeout(this.#timer);
    this.#state = state;
    this.#since = moment;
    this.#timer = setTimeout(then, milliseconds);
  }

  #finish(clickType) {
    clearTimeout(this.#timer);
    // After a single nothing is held any more; after the others the release is still to come.
    this.#state = this.#state === "between" && clickType === "SINGLE" ? "idle" : "done";
    this.#emit(clickType);
  }
}

const KEYS = new Set([" ", "Enter"]);

/** Feed a gesture from a button element: pointer, Space and Enter, one of them at a time. */
export function listen(button, gesture) {
  let holder = null;

  const hold = (by, event) => {
    if (holder !== null) return;
    holder = by;
    button.classList.add("held");
    gesture.down(event.timeStamp);
  };
  const release = (by, event) => {
    if (holder !== by) return;
    holder = null;
    button.classList.remove("held");
    gesture.up(event.timeStamp);
  };
  const cancel = () => {
    if (holder === null) return;
    holder = null;
    button.classList.remove("held");
    gesture.cancel();
  };

  button.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || !event.isPrimary) return;
    button.setPointerCapture(event.pointerId);
    hold("pointer", event);
  });
  button.addEventListener("pointerup", (event) => release("pointer", event));
  button.addEventListener("pointercancel", cancel);
  button.addEventListener("keydown", (event) => {
    if (!KEYS.has(event.key) || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    if (!event.repeat) hold(event.key, event);
  });
  button.addEventListener("keyup", (event) => {
    if (!KEYS.has(event.key)) return;
    event.preventDefault();
    release(event.key, event);
  });
  button.addEventListener("blur", cancel);
  // A phone opens a menu for a long touch.
  button.addEventListener("contextmenu", (event) => event.preventDefault());
  // Assistive technology presses without a pointer or a key: such a click has no detail.
  button.addEventListener("click", (event) => {
    if (event.detail !== 0 || holder !== null) return;
    gesture.down(event.timeStamp);
    gesture.up(event.timeStamp);
  });
}
