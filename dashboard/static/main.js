// The live page: what the feed says goes to the rows, the numbers and the light.

import { Fresh, Heard } from "./attention.js";
import { Filters } from "./filters.js";
import { Gesture, listen } from "./gesture.js";
import { Older } from "./older.js";
import { Press } from "./press.js";
import { ask } from "./request.js";
import { Rows } from "./rows.js";
import { follow } from "./shell.js";

const KNOWN = 1000; // clicks kept for another filter, and while paused
const ENOUGH = 30; // rows that fill a screen

const byId = (id) => document.getElementById(id);

const press = new Press({ light: byId("light"), outcome: byId("outcome") });
const filters = new Filters({ form: byId("filters"), toggle: byId("filter"), onChange: restart });
const rows = new Rows({
  body: byId("rows"),
  rowTemplate: byId("row"),
  detailsTemplate: byId("details"),
  onDrawn(count) {
    older.offer();
    showEmpty(count);
  },
});
const older = new Older({
  rows,
  button: byId("older"),
  said: byId("older-said"),
  query: () => filters.values,
});
const fresh = new Fresh({ pill: byId("fresh"), edge: byId("top-edge"), scroller: byId("scroller") });
const heard = new Heard(byId("heard"));
const pause = byId("pause");

let known = []; // oldest first
let waiting = []; // what matched while paused
let waits = 0;
let matches = filters.matcher();
let isPaused = false;

function restart() {
  matches = filters.matcher();
  show();
}

function show() {
  waiting = [];
  waits = 0;
  showPause();
  rows.clear();
  fresh.clear();
  const shown = known.filter(matches);
  rows.add(shown);
  older.startAt(known[0]?.id);
  if (filters.isSet && shown.length < ENOUGH) older.load();
}

function take(clicks, { resumed, live }) {
  press.seen(clicks);
  if (!resumed) known = [];
  known = known.concat(clicks).slice(-KNOWN);
  if (!resumed) {
    show();
    return;
  }
  const matching = clicks.filter(matches);
  if (isPaused) wait(matching);
  else bring(matching);
  if (live) heard.add(matching);
}

function bring(clicks) {
  rows.add(clicks);
  fresh.add(clicks.length);
}

function wait(clicks) {
  waiting = waiting.concat(clicks).slice(-KNOWN);
  waits += clicks.length;
  showPause();
}

function showPause() {
  pause.setAttribute("aria-pressed", String(isPaused));
  pause.textContent = !isPaused ? "Pause" : `Paused · ${waits.toLocaleString()} wait${waits === 1 ? "s" : ""}`;
  pause.title = isPaused ? "Go on" : "";
}

function showEmpty(count) {
  byId("empty").hidden = count > 0 || filters.isSet;
  byId("no-match").hidden = count > 0 || !filters.isSet || older.isLoading;
}

pause.addEventListener("click", () => {
  isPaused = !isPaused;
  const held = waiting;
  waiting = [];
  waits = 0;
  showPause();
  if (!isPaused) bring(held);
});

byId("filter").addEventListener("click", offerSerials, { once: true });

async function offerSerials() {
  const { buttons } = await ask("/api/buttons").catch(() => ({ buttons: [] }));
  byId("serials").replaceChildren(...buttons.slice(0, 200).map((button) => {
    const option = document.createElement("option");
    option.value = button.serialNumber;
    option.label = button.name ?? button.serialNumber;
    return option;
  }));
}

listen(byId("pad"), new Gesture((clickType) => press.send(clickType)));
follow({
  onClicks: take,
  onStatus(status) {
    byId("buttons").textContent = status.buttons.toLocaleString() + (status.hasMoreButtons ? "+" : "");
    byId("rate").textContent = status.clicksPerMinute.toLocaleString();
  },
});
