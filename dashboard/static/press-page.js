// A phone as a button: the same press as on the live page, in the button's own colour.

import { Gesture, listen } from "./gesture.js";
import { Press } from "./press.js";
import { ask } from "./request.js";
import { follow } from "./shell.js";

const FEELS = { sending: 15, processed: [25, 60, 25], failed: [120, 60, 120] }; // milliseconds

const byId = (id) => document.getElementById(id);
const { serialNumber } = byId("main").dataset;

const press = new Press({
  light: byId("light"),
  outcome: byId("outcome"),
  serialNumber,
  onState(state) {
    // A browser shakes only what has been touched, and says so on the console otherwise.
    if (FEELS[state] && navigator.userActivation?.hasBeenActive) navigator.vibrate?.(FEELS[state]);
  },
});

async function takeColour() {
  const button = await ask(`/api/buttons/${serialNumber}`).catch(() => null); // not pressed yet
  if (!button?.colour) return;
  const { style } = document.documentElement;
  style.setProperty("--accent", button.colour);
  style.setProperty("--accent-deep", `color-mix(in oklab, ${button.colour}, black 25%)`);
}

listen(byId("pad"), new Gesture((clickType) => press.send(clickType)));
follow({ onClicks: (clicks) => press.seen(clicks) });
takeColour();

// Only a secure page may have one; without it everything but the offline page is there.
navigator.serviceWorker?.register("/press/worker.js", { scope: "/press/" }).catch(() => {});

addEventListener("beforeinstallprompt", (event) => {
  event.preventDefault();
  byId("install").hidden = false;
  byId("install").onclick = async () => {
    byId("install").hidden = true;
    await event.prompt();
  };
});
