// One chart over time, with a table beside it for those who cannot see it. Drawn by uPlot.

import { inFull } from "./format.js";

const HEIGHT = 260;
const TABLE_ROWS = 500;
const DAY = 86_400;

const hour = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const day = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });
const month = new Intl.DateTimeFormat(undefined, { month: "short", year: "numeric" });

export class Plot {
  #options;
  #canvas;
  #table;
  #empty;
  #chart = null;
  #data = null;
  #shown = []; // the series that have something to say
  #tableIsOld = true;

  /**
   * figure: holds .plot-canvas, .plot-empty and details with a table.
   * series: { label, color, dash, bars, width, optional }, color being a custom property of the page's;
   *   an optional one is left out where it is all zero.
   * stacked: each series stands on the ones before it.
   * show(value): a value in words. onZoom(from, to): unix seconds that were dragged over.
   */
  constructor(figure, options) {
    this.#options = { stacked: false, show: (value) => value.toLocaleString(), ...options };
    this.#canvas = figure.querySelector(".plot-canvas");
    this.#empty = figure.querySelector(".plot-empty");
    this.#table = figure.querySelector("table");
    figure.querySelector("details").addEventListener("toggle", () => this.#fillTable());
    new ResizeObserver(() => this.#chart?.setSize(this.#size())).observe(this.#canvas);
    addEventListener("themechange", () => this.#redraw());
  }

  /** Show columns: times in unix seconds, then one list for each series; null is a gap. */
  show(times, columns, { from, to } = {}) {
    const isShown = (series, i) => !series.optional || columns[i].some((value) => value);
    this.#shown = this.#options.series.filter(isShown);
    this.#data = { times, columns: columns.filter((_column, i) => isShown(this.#options.series[i], i)), from, to };
    this.#tableIsOld = true;
    this.#redraw();
    this.#fillTable();
  }

  #redraw() {
    if (this.#data === null) return;
    const { times, columns } = this.#data;
    const isEmpty = times.length === 0 || columns.every((column) => column.every((value) => !value));
    this.#empty.hidden = !isEmpty;
    this.#canvas.hidden = isEmpty;
    this.#chart?.destroy();
    this.#chart = null;
    if (isEmpty) return;
    this.#chart = new uPlot(this.#uplotOptions(), this.#drawn(), this.#canvas);
    const legend = this.#canvas.querySelector(".u-legend");
    legend?.setAttribute("aria-hidden", "true"); // the table says it
  }

  /** uPlot draws the last series in front: a stack is drawn from the tallest down. */
  #drawn() {
    const { times, columns } = this.#data;
    if (!this.#options.stacked) return [times, ...columns];
    const sums = [];
    for (const column of columns) sums.push(column.map((value, i) => value + (sums.at(-1)?.[i] ?? 0)));
    return [times, ...sums.reverse()];
  }

  #uplotOptions() {
    const color = colors(this.#canvas);
    const { from, to } = this.#data;
    const order = this.#shown.map((series, index) => ({ ...series, index }));
    if (this.#options.stacked) order.reverse();
    const axis = { stroke: color("--soft"), grid: { stroke: color("--line"), width: 1 }, ticks: { show: false }, font: `12px ${getComputedStyle(this.#canvas).fontFamily}` };
    return {
      ...this.#size(),
      padding: [12, 8, 0, 0],
      cursor: { drag: { x: true, y: false, setScale: false }, points: { size: 8 } },
      legend: { live: true },
      scales: {
        x: from ? { range: () => [from, to] } : {},
        y: { range: (_plot, _low, high) => this.#range(high) },
      },
      hooks: { setSelect: [(plot) => this.#selected(plot)] },
      axes: [
        { ...axis, size: 40, values: (_plot, splits, _axis, _space, step) => splits.map((at, i) => tick(at, step, splits[i - 1])) },
        { ...axis, size: 58, values: (_plot, splits) => splits.map((value) => this.#options.show(value)) },
      ],
      series: [
        { value: (_plot, at) => (at === null ? this.#resting : inFull(at * 1000)) },
        ...order.map((series) => this.#series(series, color)),
      ],
    };
  }

  #series({ label, color: name, dash, bars, width = 2, index }, color) {
    const shown = (_plot, _value, _series, at) => {
      const column = this.#data.columns[index];
      const value = at === null || at === undefined ? this.#rest(column) : column[at];
      return value === null || value === undefined ? "–" : this.#options.show(value);
    };
    const common = { label, stroke: color(name), value: shown, spanGaps: false };
    if (bars) return { ...common, fill: color(name), width: 0, paths: uPlot.paths.bars({ size: [0.8, 60], align: 1 }), points: { show: false } };
    return { ...common, width, dash, points: { show: this.#data.times.length < 60, size: 5 } };
  }

  /** What the legend says while nothing is pointed at: the sum of counts, the latest of the rest. */
  #rest(column) {
    if (this.#options.stacked) return column.reduce((sum, value) => sum + value, 0);
    return column.findLast((value) => value !== null);
  }

  get #resting() {
    return this.#options.stacked ? "in all" : "latest";
  }

  #range(high) {
    const { low, top } = this.#options;
    return [low?.(this.#data.columns) ?? 0, Math.max(top ?? 1, (high ?? 1) * 1.08)];
  }

  #selected(plot) {
    if (plot.select.width < 8) return;
    const from = plot.posToVal(plot.select.left, "x");
    const to = plot.posToVal(plot.select.left + plot.select.width, "x");
    plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
    this.#options.onZoom?.(Math.floor(from), Math.ceil(to));
  }

  #size() {
    return { width: Math.max(200, this.#canvas.clientWidth), height: HEIGHT };
  }

  #fillTable() {
    if (this.#data === null || !this.#tableIsOld || !this.#table.closest("details").open) return;
    this.#tableIsOld = false;
    const { times, columns } = this.#data;
    const head = row("th", ["Time", ...this.#shown.map((series) => series.label)], "col");
    const body = document.createElement("tbody");
    // The newest first, and what has something to say only.
    for (let i = times.length - 1; i >= 0 && body.children.length < TABLE_ROWS; i -= 1) {
      const values = columns.map((column) => column[i]);
      if (values.every((value) => !value)) continue;
      const words = values.map((value) => (value === null ? "–" : this.#options.show(value)));
      const line = row("td", words);
      const when = document.createElement("th");
      when.scope = "row";
      when.textContent = inFull(times[i] * 1000);
      line.prepend(when);
      body.append(line);
    }
    const thead = document.createElement("thead");
    thead.append(head);
    this.#table.replaceChildren(this.#table.caption ?? "", thead, body);
  }
}

function row(kind, texts, scope) {
  const line = document.createElement("tr");
  for (const text of texts) {
    const cell = document.createElement(kind);
    if (scope) cell.scope = scope;
    cell.textContent = text;
    line.append(cell);
  }
  return line;
}

/** A function from a custom property's name to the colour that it stands for now. */
function colors(parent) {
  const probe = document.createElement("span");
  probe.hidden = true;
  parent.append(probe);
  return (name) => {
    if (!probe.isConnected) document.body.append(probe);
    probe.style.color = `var(${name})`;
    const { color } = getComputedStyle(probe);
    probe.remove();
    return color;
  };
}

/** A mark on the axis; the day is named where it changes. */
function tick(at, step, before) {
  const moment = new Date(at * 1000);
  if (step >= 25 * DAY) return month.format(moment);
  if (step >= DAY) return day.format(moment);
  const isNewDay = before !== undefined && new Date(before * 1000).getDate() !== moment.getDate();
  return isNewDay ? `${hour.format(moment)}\n${day.format(moment)}` : hour.format(moment);
}
