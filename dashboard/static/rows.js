// The table of clicks, newest first. Everything in a click is hostile: it is only ever set as text.

import { battery, latency, moment, volts } from "./format.js";

const LIVE_ROWS = 300; // as long as no older ones are asked for
const MAX_ROWS = 1000;
const GROUP = 50; // rows of one tbody, which the browser skips as a whole while it is out of sight
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
  #table;
  #row;
  #details;
  #drawn;
  #names;
  #pending = [];
  #frame = 0;
  #clicks = new WeakMap(); // table row -> click
  #limit = LIVE_ROWS;
  #newest = 0; // ids, of what is shown: what the feed and the API both give is shown once
  #oldest = Infinity;

  /** The id below which rows were taken away at the end; null where none were. */
  forgottenFrom = null;
  /** How many clicks are shown. */
  count = 0;

  /** `names` knows what people call the buttons; null: no button need be named. */
  constructor({ body, rowTemplate, detailsTemplate, names = null, onDrawn = () => {} }) {
    this.#names = names;
    this.#table = body.parentElement;
    this.#row = rowTemplate.content.firstElementChild;
    this.#details = detailsTemplate.content.firstElementChild;
    this.#drawn = onDrawn;
    this.#table.addEventListener("click", (event) => this.#toggle(event));
  }

  get isFull() {
    return this.count >= MAX_ROWS;
  }

  /** Show clicks, oldest first, with the next frame: a thousand a second are sixty updates. */
  add(clicks) {
    const newer = clicks.filter((click) => click.id > this.#newest);
    if (newer.length) this.#mark(newer[0].id, newer.at(-1).id);
    this.#pending.push(...newer);
    if (this.#pending.length > this.#limit) this.#skip();
    this.draw();
  }

  /** Show older clicks, newest first, below the others; false when there is room for no more. */
  append(clicks) {
    this.#limit = Math.min(MAX_ROWS, this.count + clicks.length + LIVE_ROWS);
    this.forgottenFrom = null;
    const taken = clicks.filter((click) => click.id < this.#oldest).slice(0, MAX_ROWS - this.count);
    if (taken.length) this.#mark(taken.at(-1).id, taken[0].id);
    for (const click of taken) this.#group("last").append(this.#newRow(click, false));
    this.count += taken.length;
    this.draw();
    return !this.isFull;
  }

  /** Take away the rows of a button that was deleted. */
  forget(serialNumber) {
    const isKept = (click) => click.serialNumber !== serialNumber;
    this.#pending = this.#pending.filter(isKept);
    for (const row of this.#table.querySelectorAll("tr.click")) {
      if (isKept(this.#clicks.get(row))) continue;
      if (row.nextElementSibling?.classList.contains("details")) row.nextElementSibling.remove();
      row.remove();
      this.count -= 1;
    }
    for (const body of [...this.#table.tBodies].slice(1)) if (body.childElementCount === 0) body.remove();
    this.draw();
  }

  /** Call the buttons of all rows by the names that they have now. */
  name() {
    for (const row of this.#table.querySelectorAll("tr.click")) this.#nameButton(row);
  }

  /** Make room for so many older clicks: while they are asked for, none shall go at the end. */
  expect(count) {
    this.#limit = Math.min(MAX_ROWS, Math.max(this.#limit, this.count + count + LIVE_ROWS));
  }

  clear() {
    this.#pending = [];
    this.#limit = LIVE_ROWS;
    this.forgottenFrom = null;
    this.#newest = 0;
    this.#oldest = Infinity;
    this.#removeAll();
    this.draw();
  }

  /** Draw with the next frame. */
  draw() {
    this.#frame ||= requestAnimationFrame(() => this.#draw());
  }

  #draw() {
    this.#frame = 0;
    const clicks = this.#pending;
    this.#pending = [];
    const flash = clicks.length <= FLASH_AT_MOST;
    for (const click of clicks) this.#group("first").prepend(this.#newRow(click, flash));
    this.count += clicks.length;
    if (this.count > this.#limit) this.#trim();
    this.#drawn(this.count);
  }

  /** A hidden tab draws no frames; what would not be shown anyway need not wait. */
  #skip() {
    this.#pending.splice(0, this.#pending.length - this.#limit);
    this.#removeAll(); // all of them older than what is skipped: below them would be a gap
    this.#forgetBefore(this.#pending[0]);
  }

  #trim() {
    while (this.count > this.#limit) this.#removeOldest();
    const last = this.#lastBody.lastElementChild;
    this.#forgetBefore(this.#clicks.get(last.classList.contains("click") ? last : last.previousElementSibling));
  }

  #removeAll() {
    for (const body of [...this.#table.tBodies].slice(1)) body.remove();
    this.#table.tBodies[0].replaceChildren();
    this.count = 0;
  }

  get #lastBody() {
    return this.#table.tBodies[this.#table.tBodies.length - 1];
  }

  #removeOldest() {
    const body = this.#lastBody;
    const last = body.lastElementChild;
    if (last.classList.contains("click")) this.count -= 1;
    last.remove();
    if (body.childElementCount === 0 && this.#table.tBodies.length > 1) body.remove();
  }

  /** The first or the last group, a new one where it is full. */
  #group(which) {
    const body = which === "first" ? this.#table.tBodies[0] : this.#lastBody;
    if (body.childElementCount < GROUP) return body;
    const fresh = body.cloneNode(false);
    fresh.removeAttribute("id");
    if (which === "first") body.before(fresh);
    else body.after(fresh);
    return fresh;
  }

  /** What is older than this click is asked for again: it may not be known which were left out. */
  #forgetBefore(click) {
    this.forgottenFrom = click.id;
    this.#oldest = click.id;
  }

  #mark(low, high) {
    this.#oldest = Math.min(this.#oldest, low);
    this.#newest = Math.max(this.#newest, high);
  }

  #newRow(click, flash) {
    const row = this.#row.cloneNode(true);
    const [when, , type, power, address, took] = row.children;
    this.#clicks.set(row, click);
    row.dataset.eventId = click.eventId ?? "";
    row.classList.toggle("fresh", flash);
    when.firstElementChild.textContent = moment(click.receivedAt);
    this.#nameButton(row);
    type.firstElementChild.dataset.kind = click.clickType;
    type.firstElementChild.firstElementChild.textContent = click.clickType.toLowerCase();
    showBattery(power, click.batteryMillivolts, click.batteryHighest);
    address.firstElementChild.textContent = click.ipAddress;
    address.title = click.ipAddress;
    took.textContent = click.latencyMs === null ? "–" : latency(click.latencyMs);
    return row;
  }

  #nameButton(row) {
    const { serialNumber } = this.#clicks.get(row);
    const cell = row.querySelector(".serial");
    const name = this.#names?.of(serialNumber) ?? serialNumber;
    cell.firstElementChild.textContent = name;
    cell.classList.toggle("named", name !== serialNumber);
    cell.title = name === serialNumber ? name : `${name}\n${serialNumber}`;
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
    const link = row.querySelector("a");
    link.href = `/buttons/${encodeURIComponent(click.serialNumber)}`;
    row.querySelector(".to-trace").href = `/clicks/${click.id}`;
    return row;
  }
}

function showBattery(cell, millivolts, highest) {
  const [meter, words] = cell.children;
  cell.classList.toggle("unknown", millivolts === null);
  meter.hidden = millivolts === null;
  words.textContent = millivolts === null ? "–" : volts(millivolts);
  if (millivolts === null) return;
  const { full, low } = battery(highest ?? millivolts);
  meter.max = full;
  meter.low = low;
  meter.optimum = full;
  meter.value = millivolts;
  meter.title = `${millivolts} mV of ${full} mV`;
}
