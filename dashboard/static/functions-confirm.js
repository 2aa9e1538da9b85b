// Asks before something is done that one may regret.

const byId = (id) => document.getElementById(id);
const dialog = byId("confirm");
let act = null;

/** Ask; what `done` throws is said in the dialog, which stays open then. */
export function confirm({ title, words, yes }, done) {
  byId("confirm-title").textContent = title;
  byId("confirm-words").textContent = words;
  byId("confirm-said").hidden = true;
  byId("really").textContent = yes;
  act = done;
  dialog.showModal();
}

byId("really").addEventListener("click", async () => {
  const button = byId("really");
  button.disabled = true;
  try {
    await act();
    dialog.close();
  } catch (error) {
    const line = byId("confirm-said");
    Object.assign(line, { hidden: false, textContent: error.message });
    line.dataset.state = "bad";
  } finally {
    button.disabled = false;
  }
});
