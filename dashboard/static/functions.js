// A card for each function, read anew every two seconds while the page can be seen.

import { ask } from "./request.js";
import { follow } from "./shell.js";
import { leaveWhenLoggedOut } from "./session.js";
import { showBill } from "./functions-bill.js";
import { count, put, running, showState, took, waiting, whileVisible } from "./functions-words.js";

const READ_MS = 2000;
const BILL_MS = 20_000;

const byId = (id) => document.getElementById(id);
const template = byId("card").content.firstElementChild;
const cards = new Map(); // name -> element

async function read() {
  try {
    show(await ask("/api/functions"));
  } catch (error) {
    if (await leaveWhenLoggedOut()) return;
    say(`The functions could not be read: ${error.message}`, "bad");
  }
}

function show({ address, problem, functions }) {
  put(byId("address"), address);
  byId("away").hidden = problem === null;
  byId("cards").hidden = problem !== null;
  put(byId("problem"), problem ?? "");
  if (problem !== null) {
    say("The function runtime is away.", "bad");
    return;
  }
  const present = new Set(functions.map((each) => each.name));
  for (const [name, card] of cards) {
    if (present.has(name)) continue;
    card.remove();
    cards.delete(name);
  }
  for (const each of functions) showOne(each);
  const failed = functions.reduce((sum, each) => sum + each.deadLetters, 0);
  const letters = failed ? `, ${count(failed)} dead letter${failed === 1 ? "" : "s"}` : "";
  say(`${count(functions.length)} function${functions.length === 1 ? "" : "s"}${letters}`);
}

function showOne(each) {
  let card = cards.get(each.name);
  if (!card) {
    card = template.cloneNode(true);
    cards.set(each.name, card);
    byId("cards").append(card);
    const link = card.querySelector("a");
    link.href = `/functions/${encodeURIComponent(each.name)}`;
    link.firstElementChild.textContent = each.name;
  }
  const at = (name) => card.querySelector(`.${name}`);
  showState(at("state"), each.state);
  put(at("events"), first(each.events));
  put(at("invocations"), count(each.invocations));
  put(at("errors"), count(each.errors));
  put(at("throttles"), count(each.throttles));
  put(at("cold"), count(each.coldStarts.count));
  put(at("letters"), count(each.deadLetters));
  put(at("waiting"), waiting(each));
  for (const name of ["errors", "throttles"]) at(name).classList.toggle("some", each[name] > 0);
  at("letters").classList.toggle("some", each.deadLetters > 0);
  for (const name of ["p50", "p90", "p99"]) put(at(name), took(each.duration[name]));
  Object.assign(card.querySelector("meter"), { max: Math.max(1, each.concurrencyLimit), value: each.concurrency });
  put(card.querySelector(".load span"), running(each));
}

function first([one, ...others]) {
  if (one === undefined) return "nothing leads to it but its name";
  return others.length ? `${one} · and ${others.length} more` : one;
}

function say(words, state = "") {
  const line = byId("summary");
  put(line, words);
  line.dataset.state = state;
  line.classList.toggle("said", state !== "");
}

whileVisible(read, READ_MS);
whileVisible(async () => {
  try {
    showBill(await ask("/api/costs"));
  } catch {
    byId("bill").hidden = true; // what is wrong is said above
  }
}, BILL_MS);
follow();
