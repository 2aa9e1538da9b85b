// Values -> short words.

const clock = new Intl.DateTimeFormat(undefined, {
  hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23",
});

/** The time of day here, to the second. */
export function time(instant) {
  return clock.format(new Date(instant));
}

/** A length of time, from milliseconds: 12 ms, 1.5 s, 3 min, 2 h, 5 d. */
export function latency(milliseconds) {
  if (milliseconds < 1000) return `${milliseconds} ms`;
  const seconds = milliseconds / 1000;
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  if (seconds < 3600) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172800) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86400)} d`;
}

// What a full battery has, in millivolts: an AA cell as in the AWS IoT Button, 3.3 V, lithium, USB.
const FULL = [1800, 3300, 4200, 5000];

/** A battery's scale, guessed from the highest voltage it had: clicks do not say what it is. */
export function battery(highest) {
  const full = FULL.find((voltage) => highest <= voltage) ?? highest;
  return { full, low: full * 0.65 };
}
