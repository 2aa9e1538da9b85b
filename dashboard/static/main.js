// Wires the page together: what the feed says goes to the rows, the header and the light.

import { Feed } from "./feed.js";
import { Gesture, listen } from "./gesture.js";
import { Press } from "./press.js";
import { Rows } from "./rows.js";

const byId = (id) => document.getElementById(id);

const rows = new Rows({
  body: byId("rows"),
  empty: byId("empty"),
  rowTemplate: byId("row"),
  detailsTemplate: byId("details"),
});
const press = new Press({ light: byId("light"), outcome: byId("outcome") });

function showLink(element, state, words) {
  // The same words again would make a screen reader say them again.
  if (element.textContent !== words) element.textContent = words;
  element.dataset.state = state;
}

function showStatus(status) {
  byId("buttons").textContent = status.buttons.toLocaleString() + (status.hasMoreButtons ? "+" : "");
  byId("rate").textContent = status.clicksPerMinute.toLocaleString();
  if (status.brokerConnected) showLink(byId("broker-link"), "good", "Broker: connected");
  else showLink(byId("broker-link"), "bad", "Broker: lost, trying again");
}

const feed = new Feed({
  onSnapshot({ clicks, status, resumed }) {
    if (!resumed) rows.clear();
    rows.add(clicks);
    press.seen(clicks);
    showStatus(status);
  },
  onClick(click) {
    rows.add([click]);
    press.seen([click]);
  },
  onStatus: showStatus,
  onLink(state, words) {
    showLink(byId("page-link"), state, `Dashboard: ${words}`);
    if (state !== "good") showLink(byId("broker-link"), "wait", "Broker: not known now");
  },
});

listen(byId("pad"), new Gesture((clickType) => press.send(clickType)));
feed.connect();
