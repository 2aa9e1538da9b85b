// One button's card. What a person or a device chose as text is only ever set as text.

import { age, battery, date, inFull, volts } from "./format.js";

const SVG = "http://www.w3.org/2000/svg";
const STATES = { online: "online", sleeping: "sleeping", offline: "offline" };
const SOON_MS = 30 * 86_400_000;
const HEIGHT = 40;
const STEP = 10;

export class Card {
  #find;
  #frame = 0;

  constructor(element, button) {
    this.element = element;
    this.#find = (selector) => element.querySelector(selector);
    this.show(button);
  }

  /** Show a button as the API gives it. */
  show(button) {
    this.button = button;
    const link = this.#find("a");
    link.href = `/buttons/${encodeURIComponent(button.serialNumber)}`;
    link.firstElementChild.textContent = button.name || button.serialNumber;
    const isNamed = Boolean(button.name);
    this.#find(".serial").textContent = isNamed ? button.serialNumber : "no name yet";
    this.#find(".serial").classList.toggle("missing", !isNamed);
    this.#find(".place").hidden = !button.place;
    this.#find(".place bdi").textContent = button.place ?? "";
    showDot(this.#find(".dot"), button.colour);
    showState(this.#find(".state"), button);
    this.#draw();
  }

  /** Count a click that has just come. */
  clicked(click) {
    const hours = [...this.button.hours];
    hours[hours.length - 1] += 1;
    this.button = {
      ...this.button,
      hours,
      lastClickAt: click.receivedAt,
      lastClickType: click.clickType,
      clicksToday: this.button.clicksToday + 1,
      clicksTotal: this.button.clicksTotal + 1,
      batteryMillivolts: click.batteryMillivolts ?? this.button.batteryMillivolts,
      batteryHighest: click.batteryHighest ?? this.button.batteryHighest,
    };
    this.#frame ||= requestAnimationFrame(() => this.#draw());
  }

  showAge() {
    const { lastClickAt } = this.button;
    const time = this.#find("time");
    const words = lastClickAt === null ? "no click yet" : age(lastClickAt);
    if (time.textContent !== words) time.textContent = words;
  }

  #draw() {
    this.#frame = 0;
    const { button } = this;
    const kind = this.#find(".kind");
    kind.hidden = button.lastClickType === null;
    kind.dataset.kind = button.lastClickType ?? "";
    kind.firstElementChild.textContent = button.lastClickType?.toLowerCase() ?? "";
    if (button.lastClickAt) this.#find("time").dateTime = button.lastClickAt;
    this.#find("time").title = button.lastClickAt ? inFull(button.lastClickAt) : "";
    this.showAge();
    this.#find(".today").textContent = button.clicksToday.toLocaleString();
    this.#find(".total").textContent = button.clicksTotal.toLocaleString();
    drawSpark(this.#find(".spark"), button.hours);
    showPower(this.#find(".power"), button);
  }
}

export function showDot(dot, colour) {
  dot.classList.toggle("chosen", Boolean(colour));
  dot.style.color = colour ?? "";
}

export function showState(element, { state, stateAt }) {
  const word = STATES[state] ?? "";
  element.dataset.state = word;
  element.textContent = word;
  element.title = word && stateAt ? `since ${inFull(stateAt)}` : "";
}

export function showPower(line, { batteryMillivolts, batteryHighest, batteryEndsAt }) {
  const meter = line.querySelector("meter");
  meter.hidden = batteryMillivolts === null;
  line.querySelector(".volts").textContent = batteryMillivolts === null ? "no battery known" : volts(batteryMillivolts);
  line.querySelector(".ends").textContent = batteryEndsAt ? `lasts until ${date(batteryEndsAt)}` : "";
  line.classList.toggle("soon", batteryEndsAt !== null && new Date(batteryEndsAt) - Date.now() < SOON_MS);
  if (batteryMillivolts === null) return;
  const { full, low } = battery(batteryHighest ?? batteryMillivolts);
  Object.assign(meter, { max: full, low, optimum: full, value: batteryMillivolts });
}

/** A bar an hour, oldest first. */
export function drawSpark(svg, hours) {
  const most = Math.max(1, ...hours);
  const bars = hours.map((count, index) => {
    const bar = document.createElementNS(SVG, "rect");
    const height = count ? Math.max(4, (count / most) * HEIGHT) : 2;
    const place = { x: index * STEP + 1.5, y: HEIGHT - height, width: STEP - 3, height };
    for (const [name, value] of Object.entries(place)) bar.setAttribute(name, value);
    if (count) bar.setAttribute("class", "some");
    return bar;
  });
  svg.replaceChildren(...bars);
  const all = hours.reduce((sum, count) => sum + count, 0);
  svg.setAttribute("aria-label", `${all.toLocaleString()} clicks in the last 24 hours, at most ${Math.max(0, ...hours).toLocaleString()} in one`);
}
