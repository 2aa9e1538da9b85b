// The cards of all buttons: found, ordered, and kept up to date by the feed.

import { Again } from "./again.js";
import { ask, offset, withQuery } from "./request.js";
import { Card } from "./card.js";
import { follow } from "./shell.js";

const AT_ONCE = 60; // cards drawn before one asks for more
const AGES_MS = 10_000;
const SETTLE_MS = 400; // several changes are one reading

const byId = (id) => document.getElementById(id);
const form = byId("choose");
const template = byId("card").content.firstElementChild;

const cards = new Map(); // serial number -> card
let limit = AT_ONCE;
let reading = 0;
const again = new Again(read);

const ORDERS = {
  "": (a, b) => (b.lastClickAt ?? "").localeCompare(a.lastClickAt ?? ""),
  name: (a, b) => label(a).localeCompare(label(b), undefined, { numeric: true }),
  today: (a, b) => b.clicksToday - a.clicksToday || b.clicksTotal - a.clicksTotal,
  battery: (a, b) => charge(a) - charge(b),
};

const label = (button) => button.name || button.serialNumber;
const charge = (button) => (button.batteryMillivolts === null ? 2 : button.batteryMillivolts / (button.batteryHighest || 1));

async function read() {
  again.begins();
  try {
    const { buttons } = await ask(withQuery("/api/buttons", { offset: offset() }));
    const present = new Set(buttons.map((button) => button.serialNumber));
    for (const serialNumber of cards.keys()) if (!present.has(serialNumber)) cards.delete(serialNumber);
    for (const button of buttons) put(button);
    arrange();
  } catch (error) {
    say(`The buttons could not be read: ${error.message}`, "bad");
  }
}

function put(button) {
  const card = cards.get(button.serialNumber);
  if (card) card.show(button);
  else cards.set(button.serialNumber, new Card(template.cloneNode(true), button));
}

function readSoon() {
  reading ||= setTimeout(() => {
    reading = 0;
    read();
  }, SETTLE_MS);
}

function arrange() {
  const wanted = form.search.value.trim().toLowerCase();
  const order = ORDERS[form.sort.value] ?? ORDERS[""];
  const matching = [...cards.values()]
    .filter(({ button }) => [button.name, button.place, button.serialNumber].some((text) => text?.toLowerCase().includes(wanted)))
    .sort((a, b) => order(a.button, b.button));
  place(matching.slice(0, limit).map((card) => card.element));
  byId("more").hidden = matching.length <= limit;
  byId("empty").hidden = cards.size > 0;
  byId("no-match").hidden = cards.size === 0 || matching.length > 0;
  say(summary(matching.length));
}

/** Only what has another place is moved: focus and reading position stay. */
function place(elements) {
  const list = byId("cards");
  for (const [index, element] of elements.entries()) {
    if (list.children[index] !== element) list.insertBefore(element, list.children[index] ?? null);
  }
  while (list.children.length > elements.length) list.lastElementChild.remove();
}

function summary(count) {
  if (cards.size === 0) return "";
  const all = `${cards.size.toLocaleString()} button${cards.size === 1 ? "" : "s"}`;
  return count === cards.size ? all : `${count.toLocaleString()} of ${all}`;
}

function say(words, state = "") {
  const line = byId("summary");
  if (line.textContent !== words) line.textContent = words;
  line.dataset.state = state;
  line.classList.toggle("said", state !== "");
}

function choose() {
  limit = AT_ONCE;
  const query = new URLSearchParams([...new FormData(form)].filter(([, value]) => value !== ""));
  history.replaceState(null, "", query.size ? `?${query}` : location.pathname);
  arrange();
}

for (const [name, value] of new URLSearchParams(location.search)) {
  if (name === "search" || name === "sort") form.elements[name].value = value;
}
form.addEventListener("input", choose);
form.addEventListener("submit", (event) => event.preventDefault());
byId("more").addEventListener("click", () => {
  limit += AT_ONCE;
  arrange();
});
setInterval(() => cards.forEach((card) => card.showAge()), AGES_MS);

read();
let isFirst = true;
follow({
  onForgotten(serialNumber) {
    if (cards.delete(serialNumber)) arrange();
  },
  onClicks(clicks, { live }) {
    if (!live) {
      if (!isFirst) readSoon(); // back after a while away
      isFirst = false;
      return;
    }
    if (again.isOtherHour) readSoon(); // other bars, and perhaps another day
    for (const click of clicks) {
      const card = cards.get(click.serialNumber);
      if (card) card.clicked(click);
      else readSoon();
    }
  },
});
