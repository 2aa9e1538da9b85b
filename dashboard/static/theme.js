// Light or dark: as the system has it, until the person says otherwise, and then as they said.
// Loaded before the page is drawn, so that it never shows in the other colours first.

const KEY = "theme";
const NEXT = { "": "light", light: "dark", dark: "" };
const WORDS = { "": "Colours: as the system", light: "Colours: light", dark: "Colours: dark" };

function remembered() {
  try {
    return localStorage.getItem(KEY) ?? "";
  } catch { // a browser that keeps nothing
    return "";
  }
}

function apply(theme) {
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
  else delete document.documentElement.dataset.theme;
}

function name(button) {
  button.setAttribute("aria-label", WORDS[document.documentElement.dataset.theme ?? ""]);
  button.title = button.getAttribute("aria-label");
}

apply(remembered());

addEventListener("DOMContentLoaded", () => {
  const button = document.getElementById("theme");
  if (button === null) return;
  name(button);
  button.addEventListener("click", () => {
    const theme = NEXT[document.documentElement.dataset.theme ?? ""];
    apply(theme);
    name(button);
    try {
      localStorage.setItem(KEY, theme);
    } catch { /* it holds for this page then */ }
    dispatchEvent(new Event("themechange"));
  });
});

addEventListener("storage", (event) => { // changed in another tab
  if (event.key !== KEY) return;
  apply(event.newValue ?? "");
  dispatchEvent(new Event("themechange"));
});
matchMedia("(prefers-color-scheme: dark)")
  .addEventListener("change", () => dispatchEvent(new Event("themechange")));
