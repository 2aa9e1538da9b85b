// The charts page: one range and one button for all charts, both in the address.

import { showPower } from "./card.js";
import { latency, toTheMinute, volts } from "./format.js";
import { Plot } from "./plot.js";
import { ask, offset, withQuery } from "./request.js";
import { follow } from "./shell.js";

const HOUR = 3600;
const DAY = 24 * HOUR;
const RANGES = { "1h": HOUR, "6h": 6 * HOUR, "24h": DAY, "7d": 7 * DAY, "30d": 30 * DAY, "1y": 365 * DAY };
const AGAIN_MS = 15_000; // at most so often while clicks come
const LOWEST = 8;

const byId = (id) => document.getElementById(id);
const form = byId("choose");

let zoom = null; // { from, to } in unix seconds
let buttons = [];
let asking = new AbortController();
let again = 0;

const onZoom = (from, to) => {
  if (to - from < 120) return; // two minutes are the finest that is known
  zoom = { from, to };
  changed();
};

const clicks = new Plot(byId("clicks"), {
  stacked: true,
  onZoom,
  top: 4,
  show: (value) => (Number.isInteger(value) ? value.toLocaleString() : ""),
  series: [
    { label: "single", color: "--single", bars: true },
    { label: "double", color: "--double", bars: true },
    { label: "long", color: "--long", bars: true },
    { label: "other", color: "--other", bars: true, optional: true },
  ],
});
const latencies = new Plot(byId("latency"), {
  onZoom,
  top: 10,
  show: (value) => latency(Math.round(value)),
  series: [
    { label: "half (p50)", color: "--single" },
    { label: "nine of ten (p90)", color: "--double", dash: [8, 4] },
    { label: "99 of 100 (p99)", color: "--long", dash: [2, 3] },
  ],
});
const battery = new Plot(byId("battery"), {
  onZoom,
  low: (columns) => Math.max(0, Math.min(...columns[0].filter((value) => value !== null)) - 150),
  show: volts,
  series: [{ label: "battery", color: "--accent" }],
});

function chosen() {
  const now = Math.floor(Date.now() / 1000);
  return zoom ?? { from: now - RANGES[form.range.value], to: now };
}

function stepFor(span) {
  if (span <= 6 * HOUR) return "minute";
  return span <= 14 * DAY ? "hour" : "day";
}

async function read() {
  asking.abort();
  asking = new AbortController();
  const { signal } = asking;
  const { from, to } = chosen();
  const step = stepFor(to - from);
  const serialNumber = form.serialNumber.value;
  const query = { step, from: instant(from), to: instant(to), serialNumber, offset: offset() };
  const read = (name, values) => ask(withQuery(`/api/charts/${name}`, values), { signal });
  try {
    const [counted, took, power] = await Promise.all([
      read("clicks", query),
      read("latency", query),
      serialNumber ? read("battery", { serialNumber, from: query.from, to: query.to }) : null,
    ]);
    showClicks(counted, step, { from, to });
    latencies.show(took.times, [took.p50, took.p90, took.p99], { from, to });
    showBattery(power, { from, to });
    say(`${toTheMinute(from)} – ${toTheMinute(to)}`);
  } catch (error) {
    if (!signal.aborted) say(`The charts could not be read: ${error.message}`, "bad");
  }
}

function showClicks({ times, series }, step, range) {
  const columns = ["SINGLE", "DOUBLE", "LONG", "other"].map((kind) => series[kind] ?? times.map(() => 0));
  clicks.show(times, columns, range);
  const all = columns.flat().reduce((sum, count) => sum + count, 0);
  byId("clicks-note").textContent = `${all.toLocaleString()} in this time, by the ${step}`;
}

function showBattery(power, range) {
  byId("battery").hidden = power === null;
  byId("batteries").hidden = power !== null;
  if (power) battery.show(power.times, [power.millivolts], range);
  else listBatteries();
  const ends = power && buttons.find((button) => button.serialNumber === form.serialNumber.value)?.batteryEndsAt;
  byId("battery-note").textContent = power === null ? "lowest first; choose a button to see how it goes"
    : ends ? `at this rate it lasts until ${new Date(ends).toLocaleDateString(undefined, { dateStyle: "medium" })}` : "";
}

function listBatteries() {
  const charge = ({ batteryMillivolts, batteryHighest }) => batteryMillivolts / (batteryHighest || 1);
  const known = buttons.filter((button) => button.batteryMillivolts !== null);
  known.sort((a, b) => charge(a) - charge(b));
  byId("batteries").replaceChildren(...known.slice(0, LOWEST).map((button) => {
    const line = byId("battery-line").content.firstElementChild.cloneNode(true);
    const link = line.querySelector("a");
    link.href = `/buttons/${encodeURIComponent(button.serialNumber)}`;
    link.firstElementChild.textContent = button.name || button.serialNumber;
    showPower(line, button);
    return line;
  }));
}

async function readButtons() {
  ({ buttons } = await ask(withQuery("/api/buttons", { offset: offset() })).catch(() => ({ buttons: [] })));
  const wanted = new URLSearchParams(location.search).get("serialNumber") ?? "";
  const named = [...buttons].sort((a, b) => (a.name || a.serialNumber).localeCompare(b.name || b.serialNumber));
  form.serialNumber.append(...named.map((button) => new Option(button.name || button.serialNumber, button.serialNumber)));
  if (named.some((button) => button.serialNumber === wanted)) form.serialNumber.value = wanted;
}

function instant(seconds) {
  return new Date(seconds * 1000).toISOString();
}

function say(words, state = "") {
  byId("span").textContent = words;
  byId("span").dataset.state = state;
  byId("span").classList.toggle("said", state !== "");
}

function changed() {
  byId("unzoom").hidden = zoom === null;
  const { value } = form.range;
  const query = new URLSearchParams();
  if (form.serialNumber.value) query.set("serialNumber", form.serialNumber.value);
  if (zoom) for (const [name, at] of Object.entries(zoom)) query.set(name, at);
  else if (value !== "24h") query.set("range", value);
  history.replaceState(null, "", query.size ? `?${query}` : location.pathname);
  read();
}

function fromAddress() {
  const query = new URLSearchParams(location.search);
  if (query.get("range") in RANGES) form.range.value = query.get("range");
  const [from, to] = [Number(query.get("from")), Number(query.get("to"))];
  if (from > 0 && to > from) zoom = { from, to };
  byId("unzoom").hidden = zoom === null;
}

form.addEventListener("change", (event) => {
  if (event.target.name === "range") zoom = null;
  changed();
});
form.addEventListener("submit", (event) => event.preventDefault());
byId("unzoom").addEventListener("click", () => {
  zoom = null;
  changed();
});

fromAddress();
await readButtons();
read();
follow({
  onClicks(_clicks, { live }) {
    if (!live || zoom) return;
    again ||= setTimeout(() => {
      again = 0;
      read();
    }, AGAIN_MS);
  },
});
