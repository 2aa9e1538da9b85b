// A click's way is all in the page; here its moments become local time.

import { inFull } from "./format.js";
import { follow } from "./shell.js";

for (const time of document.querySelectorAll("main time")) {
  const moment = new Date(time.dateTime);
  if (!Number.isNaN(moment.getTime())) time.textContent = inFull(moment);
}
follow();
