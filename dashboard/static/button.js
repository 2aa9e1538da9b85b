// One button's page: its numbers, when it is pressed, its battery, its names, its history.

import { Again } from "./again.js";
import { showDot, showState } from "./card.js";
import { age, battery as scale, date, moment, volts } from "./format.js";
import { showHeat } from "./heat.js";
import { Older } from "./older.js";
import { Plot } from "./plot.js";
import { ask, offset, withQuery } from "./request.js";
import { Rows } from "./rows.js";
import { follow } from "./shell.js";

const AGES_MS = 10_000;
const DELETE_TIMEOUT_MS = 330_000; // the server has 300 s for its last step
const LATER_MS = 5000; // the heat map and the total need not follow each click

const byId = (id) => document.getElementById(id);
const { serialNumber } = byId("main").dataset;
const path = `/api/buttons/${encodeURIComponent(serialNumber)}`;
const edit = byId("edit");

const rows = new Rows({
  body: byId("rows"),
  rowTemplate: byId("row"),
  detailsTemplate: byId("details"),
  onDrawn: () => older.offer(),
});
const older = new Older({ rows, button: byId("older"), said: byId("older-said"), query: () => ({ serialNumber }), page: 25 });
const battery = new Plot(byId("battery"), {
  low: (columns) => Math.max(0, Math.min(...columns[0].filter((value) => value !== null)) - 150),
  show: volts,
  series: [{ label: "battery", color: "--accent" }],
});

let button = null;
let later = 0;
const again = new Again(() => read());
let isGone = false;

async function read() {
  if (isGone) return;
  again.begins();
  try {
    const [now, power] = await Promise.all([
      ask(withQuery(path, { offset: offset() })),
      ask(withQuery("/api/charts/battery", { serialNumber })),
    ]);
    const isFirst = button === null;
    show(now);
    battery.show(power.times, [power.millivolts]);
    if (isFirst) fillForm();
    byId("problem").textContent = "";
  } catch (error) {
    byId("problem").dataset.state = "bad";
    byId("problem").textContent = `This button could not be read: ${error.message}`;
  }
}

function show(now) {
  button = now;
  const name = now.name || serialNumber;
  byId("name").textContent = name;
  document.title = `${name} · iot-button`;
  byId("place").hidden = !now.place;
  byId("place").firstElementChild.textContent = now.place ?? "";
  showDot(byId("dot"), now.colour);
  showState(byId("state"), now);
  fact("today", now.clicksToday.toLocaleString());
  fact("total", now.clicksTotal.toLocaleString());
  showLast();
  showPower(now);
  showHeat({ table: byId("heat"), said: byId("heat-said"), counts: now.heatMap });
}

function showLast() {
  if (button === null) return;
  if (button.lastClickAt === null) fact("last", "never");
  else fact("last", age(button.lastClickAt), `${button.lastClickType.toLowerCase()}, ${moment(button.lastClickAt)}`);
}

function showPower({ batteryMillivolts, batteryHighest, batteryEndsAt }) {
  if (batteryMillivolts === null) {
    fact("power", "–", "does not tell");
    return;
  }
  const { low } = scale(batteryHighest ?? batteryMillivolts);
  const words = batteryEndsAt ? `lasts until ${date(batteryEndsAt)}` : batteryMillivolts < low ? "is low" : "holds";
  fact("power", volts(batteryMillivolts), words);
}

function fact(id, words, more = "") {
  const small = document.createElement("small");
  small.textContent = more;
  byId(id).replaceChildren(words, ...(more ? [small] : []));
}

function fillForm() {
  edit.elements.name.value = button.name ?? "";
  edit.elements.place.value = button.place ?? "";
  const swatch = [...edit.elements.colour].find((one) => one.value === (button.colour ?? ""));
  for (const one of edit.elements.colour) one.checked = one === swatch;
}

edit.addEventListener("submit", async (event) => {
  event.preventDefault();
  const said = byId("edit-said");
  const body = { name: edit.elements.name.value.trim() || null, place: edit.elements.place.value.trim() || null };
  const swatch = [...edit.elements.colour].find((one) => one.checked);
  if (swatch) body.colour = swatch.value || null; // none is chosen where it has another than ours
  said.dataset.state = "";
  said.textContent = "Saving…";
  try {
    show({ ...button, ...await ask(path, { method: "PATCH", body }) });
    said.dataset.state = "good";
    said.textContent = "Saved.";
  } catch (error) {
    said.dataset.state = "bad";
    said.textContent = `Not saved: ${error.message}`;
  }
});

byId("delete").addEventListener("click", () => {
  byId("confirm-said").hidden = true;
  byId("confirm").showModal();
});

byId("really").addEventListener("click", async () => {
  byId("really").disabled = true;
  byId("confirm-said").hidden = false;
  delete byId("confirm-said").dataset.state;
  byId("confirm-said").textContent = "Deleting. With much history this takes a minute.";
  try {
    await ask(path, { method: "DELETE", timeout: DELETE_TIMEOUT_MS });
    isGone = true;
    location.assign("/buttons");
  } catch (error) {
    byId("really").disabled = false;
    byId("confirm-said").dataset.state = "bad";
    byId("confirm-said").textContent = `Not deleted: ${error.message}`;
  }
});

setInterval(showLast, AGES_MS);
read();
follow({
  onForgotten(gone) {
    if (gone !== serialNumber) return;
    rows.clear();
    older.startFromNow();
    byId("problem").dataset.state = "bad";
    byId("problem").textContent = "This button was deleted.";
  },
  onClicks(clicks, { live }) {
    if (!live) {
      rows.clear();
      older.startFromNow();
      older.load();
      if (button !== null) read();
      return;
    }
    const own = clicks.filter((click) => click.serialNumber === serialNumber);
    if (own.length === 0) return;
    rows.add(own);
    later ||= setTimeout(() => {
      later = 0;
      read();
    }, button?.lastClickAt && !again.isOtherHour ? LATER_MS : 0);
    if (button === null) return;
    const last = own.at(-1);
    button = { ...button, lastClickAt: last.receivedAt, lastClickType: last.clickType, clicksToday: button.clicksToday + own.length };
    fact("today", button.clicksToday.toLocaleString());
    showLast();
  },
});
