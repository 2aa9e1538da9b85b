// The live page: what the feed says goes to the rows, the numbers and the light.

import { Fresh, Heard } from "./attention.js";
import { Filters } from "./filters.js";
import { Gesture, listen } from "./gesture.js";
import { Names } from "./names.js";
import { Older } from "./older.js";
import { Press } from "./press.js";
import { Rows } from "./rows.js";
import { follow } from "./shell.js";

const KNOWN = 1000; // clicks kept for another filter, and as many while paused
const ENOUGH = 30; // rows that fill a screen
const OFFERED = 200; // buttons to choose from

const byId = (id) => document.getElementById(id);

const press = new Press({ light: byId("light"), outcome: byId("outcome") });
const names = new Names({ onChange: showNames });
const filters = new Filters({ form: byId("filters"), toggle: byId("filter"), names, onChange: choose });
const rows = new Rows({
  body: byId("rows"),
  rowTemplate: byId("row"),
  detailsTemplate: byId("details"),
  names,
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
const heard = new Heard(byId("heard"), names);
const pause = byId("pause");

let known = []; // oldest first
let waiting = []; // what came while paused, oldest first
let waits = 0; // how many of it match, also of what is no longer kept
let isTooMany = false; // more than is kept
let matches = filters.matcher();
let isPaused = false;

function choose() {
  matches = filters.matcher();
  show();
}

function showNames() {
  rows.name();
  filters.named();
  offerButtons();
  if (filters.isSet) choose();
}

/** Show anew; what waits goes on waiting. */
function show() {
  waits = waiting.filter(matches).length;
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
  if (!resumed) {
    known = clicks;
    goOn();
    show();
    return;
  }
  const matching = clicks.filter(matches);
  if (isPaused) wait(clicks, matching.length);
  else bring(clicks, matching);
  if (live) heard.add(matching);
}

function bring(clicks, matching) {
  known = known.concat(clicks).slice(-KNOWN);
  rows.add(matching);
  fresh.add(matching.length);
}

function wait(clicks, matching) {
  waiting = waiting.concat(clicks);
  isTooMany ||= waiting.length > KNOWN;
  waiting = waiting.slice(-KNOWN);
  waits += matching;
  showPause();
}

function goOn() {
  waiting = [];
  waits = 0;
  isTooMany = false;
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
  const isGap = isTooMany;
  goOn();
  showPause();
  if (isPaused) return;
  if (isGap) {
    known = held;
    show();
  } else bring(held, held.filter(matches));
});

function offerButtons() {
  byId("serials").replaceChildren(...names.serialNumbers.slice(0, OFFERED).map((serialNumber) => {
    const option = document.createElement("option");
    option.value = names.alone(serialNumber);
    if (option.value !== serialNumber) option.label = serialNumber;
    return option;
  }));
}

names.learn();
listen(byId("pad"), new Gesture((clickType) => press.send(clickType)));
follow({
  onClicks: take,
  onForgotten(serialNumber) {
    const isKept = (click) => click.serialNumber !== serialNumber;
    known = known.filter(isKept);
    waiting = waiting.filter(isKept);
    waits = waiting.filter(matches).length;
    showPause();
    rows.forget(serialNumber);
  },
  onStatus(status) {
    byId("buttons").textContent = status.buttons.toLocaleString() + (status.hasMoreButtons ? "+" : "");
    byId("rate").textContent = status.clicksPerMinute.toLocaleString();
  },
});
