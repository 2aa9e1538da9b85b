// What every page does: follow the live feed, and say in the header how the connection is.

import { Feed } from "./feed.js";
import { keepSession } from "./session.js";

const nothing = () => {};

function showLink(id, state, words) {
  const element = document.getElementById(id);
  if (element === null) return;
  // The same words again would make a screen reader say them again.
  if (element.textContent !== words) element.textContent = words;
  element.dataset.state = state;
}

function showBroker(status) {
  if (status.brokerConnected) showLink("broker-link", "good", "Broker: connected");
  else showLink("broker-link", "bad", "Broker: lost, trying again");
}

/** Follow the feed for as long as the page lives.
 * onClicks(clicks, resumed): oldest first; resumed is false where they are all there is to know.
 * onForgotten(serialNumber): that button was deleted.
 */
export function follow({ onClicks = nothing, onStatus = nothing, onForgotten = nothing } = {}) {
  const status = (now) => {
    showBroker(now);
    onStatus(now);
  };
  const feed = new Feed({
    onSnapshot(snapshot) {
      onClicks(snapshot.clicks, { resumed: snapshot.resumed, live: false });
      status(snapshot.status);
    },
    onClick: (click) => onClicks([click], { resumed: true, live: true }),
    onStatus: status,
    onForgotten,
    onLink(state, words) {
      showLink("page-link", state, `Dashboard: ${words}`);
      if (state !== "good") showLink("broker-link", "wait", "Broker: not known now");
    },
  });
  feed.connect();
  keepSession();
  return feed;
}
