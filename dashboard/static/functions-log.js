// What a function wrote, read on from the last line; all of it, or one request's.

import { ask, withQuery } from "./request.js";
import { inFull, time as timeOfDay } from "./format.js";
import { count, put } from "./functions-words.js";

const KEPT = 1000;
const AT_ONCE = 500;

const byId = (id) => document.getElementById(id);
const template = byId("line").content.firstElementChild;

export class Log {
  #path;
  #run = null;
  #after = 0;
  #lines = []; // oldest first
  #missed = 0; // lines that came faster than they are read
  #isHeld = false;

  constructor(path) {
    this.#path = `${path}/logs`;
    const form = byId("choose");
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("input", () => this.#choose());
    byId("hold").addEventListener("click", () => this.#hold());
    byId("main").addEventListener("click", (event) => {
      const id = event.target.closest("button.id");
      if (id) this.#only(id.value);
    });
    form.elements.request.value = new URLSearchParams(location.search).get("request") ?? "";
  }

  async read() {
    if (this.#isHeld) return;
    const answer = await ask(withQuery(this.#path, { after: this.#after, run: this.#run, limit: AT_ONCE }));
    if (this.#run !== null && this.#run !== answer.run) {
      this.#lines = [];
      this.#after = 0;
      this.#missed = 0;
    }
    this.#run = answer.run;
    if (this.#after && answer.lines.length) this.#missed += answer.lines[0].number - this.#after - 1;
    if (answer.lines.length) this.#after = answer.lines.at(-1).number;
    this.#lines = [...this.#lines, ...answer.lines].slice(-KEPT);
    if (answer.lines.length || byId("lines").childElementCount === 0) this.#draw();
  }

  #hold() {
    this.#isHeld = !this.#isHeld;
    byId("hold").setAttribute("aria-pressed", String(this.#isHeld));
    this.#say(byId("lines").childElementCount);
  }

  #only(id) {
    byId("choose").elements.request.value = byId("choose").elements.request.value === id ? "" : id;
    this.#choose();
    byId("log").focus();
  }

  #choose() {
    const wanted = this.#wanted();
    history.replaceState(null, "", wanted ? `?${new URLSearchParams({ request: wanted })}` : location.pathname);
    this.#draw();
  }

  #wanted() {
    return byId("choose").elements.request.value.trim().toLowerCase();
  }

  #draw() {
    const box = byId("log");
    const isAtEnd = box.scrollTop + box.clientHeight >= box.scrollHeight - 8;
    const wanted = this.#wanted();
    const shown = this.#lines.filter((line) => line.requestId.toLowerCase().includes(wanted));
    byId("lines").replaceChildren(...shown.map(row));
    this.#say(shown.length);
    if (isAtEnd) box.scrollTop = box.scrollHeight;
  }

  #say(shown) {
    const held = this.#isHeld ? " Held: nothing new is read." : "";
    const missed = this.#missed ? ` ${count(this.#missed)} came too fast and are left out.` : "";
    const all = this.#lines.length;
    const words = shown === all ? `The newest ${count(all)} lines.` : `${count(shown)} of the newest ${count(all)} lines.`;
    put(byId("log-said"), (all ? words : "It has written nothing since the runtime's start.") + missed + held);
  }
}

function row(line) {
  const element = template.cloneNode(true);
  const time = element.querySelector("time");
  Object.assign(time, { dateTime: line.writtenAt, title: inFull(line.writtenAt), textContent: timeOfDay(line.writtenAt) });
  const id = element.querySelector(".id");
  Object.assign(id, { value: line.requestId, textContent: line.requestId.slice(0, 8), hidden: line.requestId === "" });
  id.setAttribute("aria-label", `Only the lines of request ${line.requestId}`);
  id.title = line.requestId;
  element.querySelector(".text bdi").textContent = line.text;
  return element;
}
