"use strict";

// The page of a run: totals as numbers, and what happened in the last 15 minutes as charts, from /samples.

const ASK_MILLISECONDS = 2000;
const SHOWN_SECONDS = 900;
const LEAST_SHOWN_SECONDS = 120; // of a run that has just begun
const RATE_SECONDS = 10; // a rate is taken over this long: one sample apart it would jump with every micro-batch
const PLOT_HEIGHT = 175;

const TOTALS = [
  ["received", "received"],
  ["written", "written"],
  ["duplicates", "duplicates"],
  ["rejected", "rejected", "warns"],
  ["deleted", "deleted"],
  ["delete_failures", "not deleted", "warns"],
  ["db_retries", "database retries", "warns"],
  ["in_flight", "in flight"],
  ["visible", "waiting in queue"],
  ["oldest_message_seconds", "oldest message"],
];

const CHARTS = [
  {
    title: "Messages", unit: "per second",
    lines: [rate("received", "received", "blue"), rate("written", "written", "green"), rate("deleted", "deleted", "purple")],
  },
  {
    title: "Lag", unit: "seconds",
    lines: [gauge("oldest_message_seconds", "oldest message", "orange"), gauge("latency_seconds", "queue to commit, 95 of 100", "blue")],
  },
  {
    title: "Queue", unit: "messages",
    lines: [gauge("visible", "waiting", "orange"), gauge("invisible", "in flight, all consumers", "purple"), gauge("delayed", "delayed", "gray")],
  },
  { title: "In flight here", unit: "messages", lines: [gauge("in_flight", "in flight", "purple")] },
  { title: "Rejections by reason", unit: "per minute", lines: rejections },
  {
    title: "Retries and failures", unit: "per minute",
    lines: [rate("db_retries", "database retries", "red", 60), rate("delete_failures", "not deleted", "orange", 60), rate("duplicates", "duplicates", "gray", 60)],
  },
];
const REASON_COLORS = ["red", "orange", "purple", "teal", "pink", "olive", "brown", "blue", "green", "gray"];

function gauge(name, label, color) {
  return { label, color, values: (samples) => samples[name] };
}

function rate(name, label, color, per = 1) {
  return { label, color, values: (samples) => rates(samples.at, samples[name], per) };
}

function rejections(samples) {
  const reasons = [...new Set(samples.rejected_by_reason.flatMap(Object.keys))].sort();
  return reasons.map((reason, place) => ({
    label: reason.replaceAll("_", " "),
    color: REASON_COLORS[place % REASON_COLORS.length],
    values: () => rates(samples.at, samples.rejected_by_reason.map((counts) => counts[reason] ?? 0), 60),
  }));
}

function rates(times, totals, per) {
  let from = 0;
  return totals.map((total, place) => {
    while (from < place && times[place] - times[from] > RATE_SECONDS) from += 1;
    const seconds = times[place] - times[from];
    return seconds > 0.5 ? (Math.max(0, total - totals[from]) / seconds) * per : null;
  });
}

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const tenth = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });
const short = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 2 });

function shown(value) {
  return value === null || value === undefined ? "–" : value < 100 ? tenth.format(value) : whole.format(value);
}

function duration(seconds) {
  if (seconds === null) return "–";
  if (seconds < 120) return `${tenth.format(seconds)} s`;
  return seconds < 7200 ? `${tenth.format(seconds / 60)} min` : `${tenth.format(seconds / 3600)} h`;
}

function timeOfDay(at) {
  return new Date(at * 1000).toLocaleTimeString("en-GB");
}

function shownTimes(times) {
  const now = times.at(-1);
  return [Math.max(now - SHOWN_SECONDS, Math.min(times[0], now - LEAST_SHOWN_SECONDS)), now];
}

// Where nobody points at a moment, the legend has the numbers of this one.
function showNow(plot) {
  if (plot.cursor.idx === null || plot.cursor.left < 0) plot.setLegend({ idx: plot.data[0].length - 1 }, false);
}

function color(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

class Chart {
  constructor(parent, { title, unit, lines }) {
    this.lines = lines;
    this.figure = document.createElement("figure");
    const caption = document.createElement("figcaption");
    const small = document.createElement("small");
    small.textContent = unit;
    caption.append(title, small);
    this.plotted = document.createElement("div");
    this.plotted.className = "plot";
    this.plotted.setAttribute("aria-hidden", "true"); // a canvas; the words below say what it shows
    this.words = document.createElement("p");
    this.words.className = "hidden-text";
    this.figure.append(caption, this.plotted, this.words);
    parent.append(this.figure);
    new ResizeObserver(() => this.plot?.setSize(this.size())).observe(this.figure);
  }

  size() {
    return { width: Math.max(200, this.plotted.clientWidth), height: PLOT_HEIGHT };
  }

  show(samples, isRedrawn) {
    const lines = typeof this.lines === "function" ? this.lines(samples) : this.lines;
    const labels = lines.map((line) => line.label).join();
    const data = [samples.at, ...lines.map((line) => line.values(samples))];
    if (isRedrawn || !this.plot || labels !== this.labels) this.draw(lines, data);
    else this.plot.setData(data);
    if (this.plot) showNow(this.plot);
    this.labels = labels;
    const now = lines.map((line, place) => `${line.label} ${shown(data[place + 1].at(-1))}`);
    this.words.textContent = now.length ? `Now: ${now.join(", ")}.` : "None so far.";
  }

  draw(lines, data) {
    this.plot?.destroy();
    this.plot = null;
    this.plotted.replaceChildren();
    if (!lines.length) {
      const none = document.createElement("p");
      none.className = "none";
      none.textContent = "None so far.";
      this.plotted.append(none);
      return;
    }
    const axis = { stroke: color("quiet"), grid: { stroke: color("grid"), width: 1 }, ticks: { show: false }, font: "12px system-ui, sans-serif" };
    const options = {
      ...this.size(),
      padding: [8, 24, 0, 0],
      cursor: { drag: { x: false, y: false }, points: { size: 6 }, sync: { key: "run" } },
      scales: {
        x: { time: true, range: (plot) => shownTimes(plot.data[0]) },
        y: { range: (_plot, _low, high) => [0, high > 0 ? high * 1.1 : 1] },
      },
      axes: [
        { ...axis, size: 28, space: 80, values: (_plot, times) => times.map(timeOfDay) },
        { ...axis, size: 52, space: 34, values: (_plot, values) => values.map((value) => short.format(value)) },
      ],
      series: [
        { value: (_plot, at) => (at === null ? "–" : timeOfDay(at)) },
        ...lines.map((line) => ({
          label: line.label, stroke: color(line.color), width: 1.75, spanGaps: false, points: { show: false },
          value: (_plot, value) => shown(value),
        })),
      ],
      legend: { live: true, markers: { fill: (_plot, place) => color(lines[place - 1].color) } },
      hooks: { setCursor: [(plot) => showNow(plot)] },
    };
    this.plot = new uPlot(options, data, this.plotted);
  }
}

const charts = CHARTS.map((chart) => new Chart(document.getElementById("charts"), chart));
const totals = new Map();
let isRedrawn = false;

for (const [name, label] of TOTALS) {
  const box = document.createElement("div");
  const term = document.createElement("dt");
  const value = document.createElement("dd");
  term.textContent = label;
  value.id = `total-${name}`;
  value.textContent = "–";
  box.append(term, value);
  document.getElementById("totals").append(box);
  totals.set(name, { box, value });
}

function showState(id, isGood, text, detail) {
  const element = document.getElementById(id);
  element.className = `state ${isGood ? "good" : "bad"}`;
  element.textContent = `${isGood ? "✓" : "✗"} ${text}`; // not by color alone
  element.title = detail ?? "";
}

function show({ about, live, ready, samples }) {
  document.title = `${about.stream} – maskline`;
  document.getElementById("stream").textContent = about.stream;
  const processes = about.processes > 1 ? `, ${about.processes} processes` : "";
  document.getElementById("about").textContent = `from ${about.queue}, on ${about.host}${processes}, maskline ${about.version}`;
  const stalled = `no progress for ${duration(live.seconds_since_progress)}`;
  showState("live", live.live, live.live ? "live" : stalled, `${stalled}; /live says 503 after ${duration(live.stall_seconds)}`);
  for (const [part, status] of Object.entries(ready)) {
    showState(part, status.is_ready, part, status.problem ?? `answered ${duration(status.seconds_since_answer)} ago`);
  }
  const problems = Object.values(ready).map((status) => status.problem).filter((text) => text && !text.endsWith("no answer yet"));
  notice(problems.join(" · "));
  for (const [name, , warns] of TOTALS) {
    const value = samples[name].at(-1);
    const { box, value: element } = totals.get(name);
    element.textContent = name.endsWith("_seconds") ? duration(value) : value === null ? "–" : whole.format(value);
    box.className = warns && value > 0 ? "bad" : "";
  }
  for (const chart of charts) chart.show(samples, isRedrawn);
  isRedrawn = false;
}

function notice(text) {
  const element = document.getElementById("notice");
  if (element.textContent !== text) element.textContent = text; // a reader of the screen is told of a change only
  element.hidden = !text;
}

async function ask() {
  try {
    const answer = await fetch("samples", { signal: AbortSignal.timeout(5 * ASK_MILLISECONDS) });
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    show(await answer.json());
  } catch (error) {
    console.error(error);
    showState("live", false, "no answer");
    notice("The job does not answer: it has ended, or cannot be reached.");
  }
  setTimeout(ask, ASK_MILLISECONDS);
}

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { isRedrawn = true; });
ask();
