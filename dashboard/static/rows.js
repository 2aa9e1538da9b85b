// The table of clicks, newest first. Everything in a click is hostile: it is only ever set as text.

import { battery, latency, time } from "./format.js";

const MAX_ROWS = 300;
const FLASH_AT_MOST = 8; // rows a frame; a busy feed needs no light show

const DETAILS = [
  ["Button", "serialNumber"],
  ["Title", "title"],
  ["Function ran", "timestamp"],
  ["Address", "ipAddress"],
  ["Clicked", "clickedAt"],
  ["Received", "receivedAt"],
  ["Event id", "eventId"],
];

export class Rows {
  #body;
  #empty;
  #row;
  #details;
  #pending = [];
  #frame = 0;
  #clicks = new WeakMap(); // table row -> click
  #shown = 0;

  constructor({ body, empty, rowTemplate, detailsTemplate }) {
    this.#body = body;
    this.#empty = empty;
    this.#row = rowTemplate.content.firstElementChild;
    this.#details = detailsTemplate.content.firstElementChild;
    body.addEventListener("click", (event) => this.#toggle(event));
  }

  /** Show clicks, oldest first, with the next frame: a thousand a second are sixty updates. */
  add(clicks) {
    this.#pending.push(...clicks);
    // A hidden tab draws no frames; what would not be shown anyway need not wait.
    if (this.#pending.length > MAX_ROWS) this.#pending.splice(0, this.#pending.length - MAX_ROWS);
    this.#frame ||= requestAnimationFrame(() => this.#draw());
  }

  clear() {
    this.#pending = [];
    this.#shown = 0;
    this.#body.replaceChildren();
    this.#frame ||= requestAnimationFrame(() => this.#draw());
  }

  #draw() {
    this.#frame = 0;
    const clicks = this.#pending.reverse();
    this.#pending = [];
    const flash = clicks.length <= FLASH_AT_MOST;
    this.#body.prepend(...clicks.map((click) => this.#newRow(click, flash)));
    this.#shown += clicks.length;
    while (this.#shown > MAX_ROWS) this.#forgetOldest();
    this.#empty.hidden = this.#shown > 0;
  }

  #forgetOldest() {
    const last = this.#body.lastElementChild;
    if (last.classList.contains("click")) this.#shown -= 1;
    last.remove();
  }

  #newRow(click, flash) {
    const row = this.#row.cloneNode(true);
    const [when, serial, type, power, address, took] = row.children;
    this.#clicks.set(row, click);
    row.dataset.eventId = click.eventId ?? "";
    row.classList.toggle("fresh", flash);
    when.firstElementChild.textContent = time(click.receivedAt);
    serial.firstElementChild.textContent = click.serialNumber;
    serial.title = click.serialNumber;
    type.firstElementChild.dataset.kind = click.clickType;
    type.firstElementChild.firstElementChild.textContent = click.clickType.toLowerCase();
    showBattery(power, click.batteryMillivolts, click.batteryHighest);
    address.firstElementChild.textContent = click.ipAddress;
    address.title = click.ipAddress;
    took.textContent = click.latencyMs === null ? "–" : latency(click.latencyMs);
    return row;
  }

  #toggle(event) {
    const row = event.target.closest("tr.click");
    if (row === null || getSelection()?.toString()) return;
    const isOpen = row.nextElementSibling?.classList.contains("details") ?? false;
    row.querySelector(".more").setAttribute("aria-expanded", String(!isOpen));
    if (isOpen) row.nextElementSibling.remove();
    else row.after(this.#newDetails(this.#clicks.get(row)));
  }

  #newDetails(click) {
    const row = this.#details.cloneNode(true);
    const list = row.querySelector("dl");
    for (const [label, field] of DETAILS) {
      const term = document.createElement("dt");
      const value = document.createElement("dd");
      const text = document.createElement("bdi");
      term.textContent = label;
      text.textContent = click[field] || "–";
      value.append(text);
      list.append(term, value);
    }
    return row;
  }
}

function showBattery(cell, millivolts, highest) {
  const [meter, words] = cell.children;
  cell.classList.toggle("unknown", millivolts === null);
  meter.hidden = millivolts === null;
  words.textContent = millivolts === null ? "–" : `${(millivolts / 1000).toFixed(2)} V`;
  if (millivolts === null) return;
  const { full, low } = battery(highest ?? millivolts);
  meter.max = full;
  meter.low = low;
  meter.optimum = full;
  meter.value = millivolts;
  meter.title = `${millivolts} mV of ${full} mV`;
}
