// What the month would have cost on AWS, beside a small server.

import { inFull } from "./format.js";

const byId = (id) => document.getElementById(id);
const whole = new Intl.NumberFormat(undefined, { maximumFractionDigits: 0 });
const cents = new Intl.NumberFormat("en", { style: "currency", currency: "USD" });

/** US dollars; what is less than half a cent shows its first two digits that count. */
export function dollars(amount) {
  if (amount === null) return "–";
  if (amount === 0 || amount >= 0.005) return cents.format(amount);
  return `$${amount.toLocaleString("en", { maximumSignificantDigits: 2, maximumFractionDigits: 20 })}`;
}

export function showBill(costs) {
  byId("bill").hidden = false;
  byId("bill-note").textContent = `Counted since ${inFull(costs.since)}. The free tier of Lambda is taken off in the second figure.`;
  pair("bill-total", costs.total, costs.totalAfterFree);
  pair("bill-pace", costs.pace, costs.paceAfterFree);
  const small = document.createElement("small");
  small.textContent = costs.server.name || "as in the setting dashboard.server_price";
  byId("bill-server").replaceChildren(dollars(costs.server.price), small);
  byId("bill-items").replaceChildren(...costs.items.map(row));
  byId("bill-prices").textContent = `${costs.pricesOf} in ${costs.region}`;
  byId("bill-sources").replaceChildren(...costs.sources.flatMap((url, index) => (index ? [", ", link(url)] : [link(url)])));
}

function pair(id, amount, afterFree) {
  const small = document.createElement("small");
  small.textContent = amount === null ? "known after an hour" : `${dollars(afterFree)} after Lambda's free tier`;
  byId(id).replaceChildren(dollars(amount), small);
}

function row(item) {
  const cells = [
    whole.format(item.quantity),
    `${item.price} / ${whole.format(item.per)}`,
    dollars(item.cost),
    item.free ? whole.format(item.free) : "–",
    dollars(item.costAfterFree),
  ];
  const line = document.createElement("tr");
  const head = document.createElement("th");
  head.scope = "row";
  head.textContent = `${item.service}: ${item.item}`;
  line.append(head, ...cells.map(cell));
  return line;
}

function cell(words) {
  const element = document.createElement("td");
  element.className = "number";
  element.textContent = words;
  return element;
}

function link(url) {
  const anchor = document.createElement("a");
  Object.assign(anchor, { href: url, rel: "noreferrer", textContent: url.replace("https://", "").replace(/\/$/, "") });
  return anchor;
}
