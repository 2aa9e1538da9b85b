// Which clicks are shown: by button, kind and text. In the address, so that a view is a bookmark.

const NAMES = ["serialNumber", "clickType", "text"];
const SEARCHED = ["serialNumber", "clickType", "title", "ipAddress", "timestamp", "eventId"]; // as the API does
const SETTLE_MS = 250; // after the last letter typed

export class Filters {
  #form;
  #names;
  #toggle;
  #changed;
  #serialNumber = ""; // of the field, where a name may stand for it
  #timer = 0;

  /** `names` knows what people call the buttons; when it has learnt more, `named` is to be called. */
  constructor({ form, toggle, names, onChange }) {
    this.#form = form;
    this.#names = names;
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
    const values = Object.fromEntries(entries.filter(([, value]) => value !== ""));
    if (values.serialNumber) values.serialNumber = this.#serialNumber;
    return values;
  }

  /** Show the button that was chosen by its name, as it is now. */
  named() {
    const field = this.#form.elements.serialNumber;
    if (field === document.activeElement) {
      this.#take();
      return;
    }
    this.#serialNumber = this.#names.meant(this.#serialNumber);
    field.value = this.#names.alone(this.#serialNumber);
  }

  get isSet() {
    return Object.keys(this.values).length > 0;
  }

  /** A test for a click, made once for many. */
  matcher() {
    const { serialNumber, clickType, text } = this.values;
    const wanted = text?.toLowerCase();
    const has = (value) => value?.toLowerCase().includes(wanted);
    return (click) => (!serialNumber || click.serialNumber === serialNumber)
      && (!clickType || click.clickType === clickType)
      && (!wanted || SEARCHED.some((name) => has(click[name])) || has(this.#names.searched(click.serialNumber)));
  }

  #fromAddress() {
    const query = new URLSearchParams(location.search);
    for (const name of NAMES) this.#form.elements[name].value = query.get(name) ?? "";
    this.#take();
    this.named();
    this.#show(this.isSet || !this.#form.hidden);
  }

  #take() {
    this.#serialNumber = this.#names.meant(this.#form.elements.serialNumber.value.trim());
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
    this.#take();
    const query = new URLSearchParams(this.values).toString();
    history.replaceState(null, "", query ? `?${query}` : location.pathname);
    this.#show(true);
    this.#changed();
  }
}
