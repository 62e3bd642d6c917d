// Unpacks the runs, makes the pictures, and lets tests read what is drawn.

const about = JSON.parse(document.getElementById("about").textContent);
const byId = (id) => document.getElementById(id);

// The numbers of the followed rank, beside each other.
function showFollowed() {
  const panel = byId("followed");
  panel.textContent = "";
  if (view.followed === null) return;
  const rank = view.followed;
  const lines = runs.filter((run) => rank < run.nLanes).map((run) => {
    const known = run.about.per_rank && run.about.per_rank.find((told) => told.rank === rank);
    if (!known) return run.about.label + ": " + nGuesses(run, rank) + " guesses";
    const time = (ns) => (ns === null ? "unknown" : duration(ns));
    const { host, complete, guesses, points, useful_ns, wait_ns, operation_ns, idle_ns } = known;
    return run.about.label + (host ? " on " + host : "") + (complete ? ": " : ": at least ") + guesses + " guesses, " + points + " points; thinking " +
      [time(useful_ns), "waiting " + time(wait_ns), "operation " + time(operation_ns), "idle " + time(idle_ns)].join(", ");
  });
  const head = document.createElement("b");
  head.textContent = "rank " + rank;
  panel.append(head);
  for (const line of lines) {
    const item = document.createElement("div");
    item.textContent = line;
    panel.append(item);
  }
}

function makePictures() {
  const tip = byId("tip"), status = byId("status");
  const add = (picture) => {
    addOverlay(picture);
    listen(picture, tip, status);
    return picture;
  };
  for (const run of runs) {
    const k = run.about.number;
    run.picture = add(new Timeline(byId("lanes-" + k), run));
    if (run.roundLast.length) run.strip = add(new Strip(byId("strip-" + k), run, byId("lasts-" + k)));
    else for (const id of ["strip-" + k, "lasts-" + k]) byId(id).hidden = true;
  }
  new Axis(byId("axis"));
  add(new Digits(byId("digits")));
  new Axis(byId("digits-axis"));
}

function makeMatrices() {
  for (const run of about.runs) {
    const canvas = byId("matrix-" + run.number);
    if (canvas) new Matrix(canvas, run, byId("matrix-tip-" + run.number)).draw();
  }
}

// Σ over the steps of a rank as drawn. What recording cost is taken off each record, as the analysis does.
function sums(run, rank) {
  const result = { records: 0, guesses: nGuesses(run, rank), drawn_ns: {}, thinking_ns: 0, operation_ns: 0, waiting_ns: 0 };
  const drawn = [0, 0, 0, 0];
  const less = (time, n) => Math.max(0, time * run.quantum - n * run.about.cost_ns);
  for (let i = run.first[rank]; i < run.first[rank + 1]; i++) {
    const kind = run.what[i] & 15, several = kind === SEVERAL;
    const step = [0, 0, 0, 0];
    addStates(run, i, step, 0);
    step.forEach((time, state) => (drawn[state] += time));
    result.records += several ? sumOf(run, i, 0) : 1;
    result.thinking_ns += less(step[THINKING], several ? sumOf(run, i, 1) : 1);
    result.operation_ns += less(step[OPERATION], several ? sumOf(run, i, 2) : 1);
    result.waiting_ns += step[WAITING] * run.quantum;
  }
  STATES.forEach((name, state) => (result.drawn_ns[name] = drawn[state] * run.quantum));
  return result;
}

const copy = (value) => JSON.parse(JSON.stringify(value));
const hook = {
  drawn_ms: null,
  error: null,
  runs: () => runs.map((run) => ({
    ...copy({ ...run.about, per_rank: null, columns: null }),
    steps: run.first[run.nLanes], span_ns: run.span * run.quantum, claims: run.nClaims,
  })),
  view: () => ({ ...view, pointer: view.pointer && view.pointer.x, waits: view.pointer && view.pointer.step >= 0 && view.pointer.step !== null ? waitsOf(view.pointer.picture.run, view.pointer.rank, view.pointer.step) : [] }),
  sums: (run, rank) => sums(runs[run], rank),
  shares: (run, rank, columns, from_ns, to_ns) => {
    const times = Float64Array.from({ length: columns + 1 }, (_, c) => (from_ns + ((to_ns - from_ns) * c) / columns) / runs[run].quantum);
    const out = new Float64Array(columns * 4);
    addShares(runs[run], rank, times, columns, out);
    return Array.from(out, (time) => time * runs[run].quantum);
  },
  at: (run, px, py) => {
    const { rank, step } = point(runs[run].picture, px, py);
    return { rank, text: step >= 0 && step !== null ? stepInWords(runs[run], rank, step) : null };
  },
  place: (run, rank, time_ns) => {
    const { picture } = runs[run];
    return [pixelOfX(picture, axis().placeOf(runs[run], rank, time_ns / runs[run].quantum)), picture.heightOf(rank)];
  },
  lasts: (run) => Object.fromEntries(runs[run].strip ? runs[run].strip.counts : []),
  redraw_ms: () => {
    const begin = performance.now();
    drawAll();
    return performance.now() - begin;
  },
};
Object.defineProperty(window, "onesided", {
  value: Object.freeze(Object.defineProperties({}, Object.fromEntries(
    Object.keys(hook).map((name) => [name, { enumerable: true, get: () => hook[name] }])))),
});

async function main() {
  makeMatrices();
  const there = about.runs.filter((run) => run.columns);
  if (there.length === 0) {
    hook.drawn_ms = performance.now();
    return;
  }
  runs = await Promise.all(there.map((run) => unpack(byId("data-" + run.number).textContent, run)));
  for (const { number } of there) byId("data-" + number).remove(); // its text is not needed twice
  makePictures();
  Object.assign(view, { x0: 0, x1: fullWidth(), r0: 0, r1: nRanks() });
  for (const button of document.querySelectorAll("[data-axis]")) {
    button.addEventListener("click", () => setAxis(button.dataset.axis));
  }
  byId("all").addEventListener("click", showAll);
  byId("closer").addEventListener("click", () => zoom(1 / 2, (view.x0 + view.x1) / 2));
  byId("farther").addEventListener("click", () => zoom(2, (view.x0 + view.x1) / 2));
  byId("controls").hidden = false;
  drawAll();
  hook.drawn_ms = performance.now();
  new ResizeObserver(redraw).observe(byId("timelines"));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
}

// On paper every table is open.
let shut = [];
addEventListener("beforeprint", () => {
  shut = [...document.querySelectorAll("details:not([open])")];
  for (const details of shut) details.open = true;
});
addEventListener("afterprint", () => {
  for (const details of shut) details.open = false;
});

main().catch((error) => {
  hook.error = String(error);
  const problem = byId("problem");
  problem.textContent = "The timelines cannot be drawn: " + error.message;
  problem.hidden = false;
});
