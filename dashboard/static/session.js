// What our scripts need where one has to log in: the session's token, and the way to the login.

const NAME = "iot_button_token=";
const MOST_SECONDS = 600; // between two questions; a shorter session has them sooner

/** The headers that a request which changes something has to carry; none where nobody logs in. */
export function sessionHeaders() {
  const cookie = document.cookie.split("; ").find((one) => one.startsWith(NAME));
  return cookie ? { "X-CSRF-Token": cookie.slice(NAME.length) } : {};
}

/** Go to the login when the session is over; true when it is. */
export async function leaveWhenLoggedOut() {
  const answer = await fetch("/api/session", { cache: "no-store" }).catch(() => null);
  if (!answer?.ok) return false;
  const { name, loginRequired } = await answer.json();
  if (!loginRequired || name !== null) return false;
  const here = location.pathname + location.search;
  location.assign("/login?next=" + encodeURIComponent(here));
  return true;
}

/** Ask, while a page is open, often enough that its session is not over for want of requests: the
 * cookie is renewed with the answers, and the live feed has none. */
export function keepSession() {
  const idle = Number(document.querySelector('meta[name="session-idle"]')?.content);
  if (idle > 0) setInterval(leaveWhenLoggedOut, Math.min(idle / 4, MOST_SECONDS) * 1000);
}
