// One function: its numbers, its switches, its dead letters and its log.

import { ask } from "./request.js";
import { follow } from "./shell.js";
import { leaveWhenLoggedOut } from "./session.js";
import { Letters } from "./functions-letters.js";
import { Log } from "./functions-log.js";
import { confirm } from "./functions-confirm.js";
import { count, put, running, showState, took, waiting, whileVisible } from "./functions-words.js";

const READ_MS = 2000;

const byId = (id) => document.getElementById(id);
const name = byId("main").dataset.name;
const path = `/api/functions/${encodeURIComponent(name)}`;

const SURE = {
  pause: {
    title: "Pause this function?",
    words: "Its events wait on the disk until it is resumed, also over a restart. No click is lost, and none is processed.",
    yes: "Pause it",
  },
  kill: {
    title: "Throw the kill switch?",
    words: "Each event that comes from now on becomes a dead letter at once, without a run. It stays so over a restart, until the switch is taken back.",
    yes: "Kill it",
  },
};

const log = new Log(path);
const letters = new Letters(path, { onChanged: () => readNow() });

async function read() {
  try {
    show(await ask(path));
    await log.read();
    complain("");
  } catch (error) {
    if (!(await leaveWhenLoggedOut())) complain(error.message);
  }
}

function show(each) {
  showState(byId("state"), each.state);
  put(byId("events"), each.events.join("\n") || "nothing leads to it but its name");
  put(byId("invocations"), count(each.invocations));
  put(byId("errors"), count(each.errors));
  put(byId("throttles"), count(each.throttles));
  two(byId("duration"), took(each.duration.p50), each.duration.count ? `half of them; 9 of 10 up to ${took(each.duration.p90)}, 99 of 100 up to ${took(each.duration.p99)}` : "");
  two(byId("cold"), count(each.coldStarts.count), each.coldStarts.count ? `${took(each.coldStarts.mean)} each` : "");
  two(byId("running"), count(each.concurrency), `${running(each)}; ${each.memoryMegabytes} MB, ${took(each.timeout * 1000)} each at most`);
  put(byId("waiting"), waiting(each));
  showSwitches(each.state);
  letters.counted(each.deadLetters);
}

/** A value, and in small what belongs to it. */
function two(element, value, more) {
  if (element.dataset.shown === `${value}|${more}`) return;
  element.dataset.shown = `${value}|${more}`;
  const small = document.createElement("small");
  small.textContent = more;
  element.replaceChildren(value, small);
}

function showSwitches(state) {
  const shown = { active: ["pause", "kill"], paused: ["resume", "kill"], killed: ["restore"] }[state] ?? [];
  for (const button of document.querySelectorAll("[data-switch]")) button.hidden = !shown.includes(button.dataset.switch);
}

function complain(words) {
  const line = byId("problem");
  put(line, words);
  line.dataset.state = words ? "bad" : "";
}

async function throwSwitch(which) {
  const change = async () => show(await ask(`${path}/${which}`, { method: "POST" }));
  if (SURE[which]) {
    confirm(SURE[which], change);
    return;
  }
  await change().catch((error) => complain(error.message));
}

byId("switches")?.addEventListener("click", (event) => {
  const button = event.target.closest("[data-switch]");
  if (button) throwSwitch(button.dataset.switch);
});

const readNow = whileVisible(read, READ_MS);
follow();
