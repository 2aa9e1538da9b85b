// What is said of functions, on both of their pages.

const STATES = {
  active: "runs",
  paused: "paused: its events wait",
  killed: "killed: its events become dead letters",
};

/** Milliseconds as a length of time: 140 µs, 3.1 ms, 250 ms, 1.5 s. */
export function took(milliseconds) {
  if (milliseconds === null || milliseconds === undefined) return "–";
  if (milliseconds < 1) return `${Math.round(milliseconds * 1000)} µs`;
  if (milliseconds < 10) return `${milliseconds.toFixed(1)} ms`;
  if (milliseconds < 1000) return `${Math.round(milliseconds)} ms`;
  return `${(milliseconds / 1000).toFixed(1)} s`;
}

export const count = (number) => number.toLocaleString();

/** How many wait, and since when. */
export function waiting({ waiting: number, oldestWaiting }) {
  if (!number || oldestWaiting === null) return count(number);
  return `${count(number)}, the oldest for ${took(oldestWaiting * 1000)}`;
}

export const running = ({ concurrency, concurrencyLimit }) => `${count(concurrency)} of ${count(concurrencyLimit)} at a time`;

export function showState(element, state) {
  const words = STATES[state] ?? state;
  // The same words again would make a screen reader say them again.
  if (element.textContent !== words) element.textContent = words;
  element.dataset.state = state;
}

export function put(element, words) {
  if (element.textContent !== words) element.textContent = words;
}

/** Call `read` now, and each time that so many milliseconds have passed since its end, while somebody
 * can see the page. The function that is returned calls it at once. */
export function whileVisible(read, pause) {
  let timer = 0;
  let isReading = false;
  async function now() {
    clearTimeout(timer);
    if (isReading || document.hidden) return;
    isReading = true;
    await read();
    isReading = false;
    if (!document.hidden) timer = setTimeout(now, pause);
  }
  document.addEventListener("visibilitychange", now);
  now();
  return now;
}
