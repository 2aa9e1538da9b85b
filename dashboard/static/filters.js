// Which clicks are shown: by button, kind and text. In the address, so that a view is a bookmark.

const NAMES = ["serialNumber", "clickType", "text"];
const SEARCHED = ["serialNumber", "clickType", "title", "ipAddress", "timestamp", "eventId"]; // as the API does
const SETTLE_MS = 250; // after the last letter typed

export class Filters {
  #form;
  #toggle;
  #changed;
  #timer = 0;

  constructor({ form, toggle, onChange }) {
    this.#form = form;
    this.#toggle = toggle;
    this.#changed = onChange;
    this.#fromAddress();
    toggle.addEventListener("click", () => this.#show(form.hidden));
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("input", () => this.#soon());
    form.addEventListener("reset", () => setTimeout(() => this.#now()));
    addEventListener("popstate", () => {
      this.#fromAddress();
      onChange();
    });
  }

  /** The values that are set, by the API's own names. */
  get values() {
    const entries = NAMES.map((name) => [name, this.#form.elements[name].value.trim()]);
    return Object.fromEntries(entries.filter(([, value]) => value !== ""));
  }

  get isSet() {
    return Object.keys(this.values).length > 0;
  }

  /** A test for a click, made once for many. `names` knows what people call its button. */
  matcher(names) {
    const { serialNumber, clickType, text } = this.values;
    const wanted = text?.toLowerCase();
    const has = (value) => value?.toLowerCase().includes(wanted);
    return (click) => (!serialNumber || click.serialNumber === serialNumber)
      && (!clickType || click.clickType === clickType)
      && (!wanted || SEARCHED.some((name) => has(click[name])) || has(names.of(click.serialNumber)));
  }

  #fromAddress() {
    const query = new URLSearchParams(location.search);
    for (const name of NAMES) this.#form.elements[name].value = query.get(name) ?? "";
    this.#show(this.isSet || !this.#form.hidden);
  }

  #show(isShown) {
    this.#form.hidden = !isShown;
    this.#toggle.setAttribute("aria-expanded", String(isShown));
    const count = Object.keys(this.values).length;
    this.#toggle.textContent = count ? `Filter (${count})` : "Filter";
  }

  #soon() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#now(), SETTLE_MS);
  }

  #now() {
    clearTimeout(this.#timer);
    const query = new URLSearchParams(this.values).toString();
    history.replaceState(null, "", query ? `?${query}` : location.pathname);
    this.#show(true);
    this.#changed();
  }
}
