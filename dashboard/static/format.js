// Values -> short words.

const clock = new Intl.DateTimeFormat(undefined, {
  hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23",
});

/** The time of day here, to the second. */
export function time(instant) {
  return clock.format(new Date(instant));
}

const day = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });
const full = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium", hourCycle: "h23" });
const minute = new Intl.DateTimeFormat(undefined, {
  day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", hourCycle: "h23",
});
const whole = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });

/** The time of day if it is today, and otherwise the day with it, to the minute. */
export function moment(instant) {
  const date = new Date(instant);
  if (date.toDateString() === new Date().toDateString()) return clock.format(date);
  return `${day.format(date)} ${clock.format(date).slice(0, 5)}`;
}

/** Day and time in full. */
export const inFull = (instant) => full.format(new Date(instant));

/** Day and time to the minute, of unix seconds. */
export const toTheMinute = (seconds) => minute.format(new Date(seconds * 1000));

/** A day. */
export const date = (instant) => whole.format(new Date(instant));

/** How long ago: just now, 12 s ago, 3 min ago, 2 h ago, 5 d ago. */
export function age(instant, now = Date.now()) {
  const seconds = (now - new Date(instant)) / 1000;
  if (seconds < 5) return "just now";
  return `${seconds < 60 ? `${Math.floor(seconds)} s` : latency(seconds * 1000)} ago`;
}

/** Millivolts as volts. */
export const volts = (millivolts) => `${(millivolts / 1000).toFixed(2)} V`;

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
