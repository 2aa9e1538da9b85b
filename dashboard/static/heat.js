// The heat map of hour against weekday: a table whose cells also say their number.

const DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
const LEVELS = 4;

/** counts: seven lists of 24, Monday first. said: where the busiest hour is told. */
export function showHeat({ table, said, counts }) {
  const most = Math.max(...counts.flat());
  for (const [day, hours] of counts.entries()) {
    const cells = table.tBodies[0].rows[day].cells;
    for (const [hour, count] of hours.entries()) {
      const cell = cells[hour + 1];
      cell.textContent = count.toLocaleString();
      cell.title = `${DAYS[day]}, ${hour} to ${hour + 1} h: ${count.toLocaleString()} click${count === 1 ? "" : "s"}`;
      cell.dataset.level = level(count, most);
    }
  }
  said.textContent = most === 0 ? "No clicks yet." : busiest(counts, most);
}

/** 0 for none, 1 to 4 for some: by the root, so that one busy hour does not hide the others. */
function level(count, most) {
  return count === 0 ? 0 : Math.max(1, Math.ceil(Math.sqrt(count / most) * LEVELS));
}

function busiest(counts, most) {
  const day = counts.findIndex((hours) => hours.includes(most));
  const hour = counts[day].indexOf(most);
  return `Most on ${DAYS[day]}s between ${hour} and ${hour + 1} h.`;
}
