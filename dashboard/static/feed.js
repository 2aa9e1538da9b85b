// The live feed: a WebSocket that comes back by itself and catches up on what was missed.

import { leaveWhenLoggedOut } from "./session.js";

const SOONEST_MS = 400;
const LATEST_MS = 8000;
const OPEN_TIMEOUT_MS = 5000;
const TOO_MANY = 1013; // RFC 6455, section 7.4.1: try again later

export class Feed {
  #handlers;
  #socket = null;
  #epoch = "";
  #lastId = -1;
  #failures = 0;
  #retry = 0;

  constructor(handlers) {
    this.#handlers = handlers;
    addEventListener("online", () => this.#now());
    document.addEventListener("visibilitychange", () => document.hidden || this.#now());
    // A page that the browser kept and brings back has a socket that is closed.
    addEventListener("pageshow", (event) => event.persisted && this.#now());
  }

  connect() {
    clearTimeout(this.#retry);
    this.#retry = 0;
    const query = new URLSearchParams({ epoch: this.#epoch, after: this.#lastId });
    const socket = new WebSocket(`${location.origin.replace("http", "ws")}/ws?${query}`);
    this.#socket = socket;
    const patience = setTimeout(() => socket.close(), OPEN_TIMEOUT_MS);
    socket.onopen = () => clearTimeout(patience);
    socket.onmessage = (message) => this.#take(JSON.parse(message.data));
    socket.onclose = (event) => {
      clearTimeout(patience);
      this.#closed(event);
    };
  }

  #now() {
    if (this.#retry) this.connect();
  }

  #take(message) {
    if (message.type === "snapshot") this.#snapshot(message);
    else if (message.type === "click") {
      this.#lastId = message.click.id;
      this.#handlers.onClick(message.click);
    } else if (message.type === "status") this.#handlers.onStatus(message.status);
    else if (message.type === "forgotten") this.#handlers.onForgotten(message.serialNumber);
  }

  #snapshot(message) {
    this.#failures = 0;
    if (!message.resumed) this.#lastId = -1;
    this.#epoch = message.epoch;
    this.#lastId = message.clicks.at(-1)?.id ?? Math.max(this.#lastId, 0);
    this.#handlers.onLink("good", "connected");
    this.#handlers.onSnapshot(message);
  }

  #closed(event) {
    const wait = Math.min(LATEST_MS, SOONEST_MS * 2 ** this.#failures);
    this.#failures += 1;
    leaveWhenLoggedOut(); // a refused handshake does not say why
    const why = event.code === TOO_MANY ? `refused, ${event.reason}` : "connection lost";
    this.#handlers.onLink("bad", `${why}; trying again`);
    // Not all browsers of a dashboard that comes back should come back in the same moment.
    this.#retry = setTimeout(() => this.connect(), wait * (0.5 + Math.random() / 2));
  }
}
