// What part of the runs is shown: one view for all pictures, so that they zoom and move together.

const view = { axis: "time", x0: 0, x1: 1, r0: 0, r1: 1, followed: null, pointer: null };
const pictures = [];
let runs = [];

const axis = () => AXES[view.axis];
const fullWidth = () => Math.max(...runs.map((run) => axis().full(run)), 1e-9);
const nRanks = () => Math.max(...runs.map((run) => run.nLanes));
// Pictures that are of no rank go by the one that is followed.
const rankOfAll = (run) => Math.min(view.followed ?? 0, run.nLanes - 1);

function showAll() {
  Object.assign(view, { x0: 0, x1: fullWidth(), r0: 0, r1: nRanks() });
  redraw();
}

function setAxis(name) {
  view.axis = name;
  Object.assign(view, { x0: 0, x1: fullWidth() });
  for (const button of document.querySelectorAll("[data-axis]")) {
    button.setAttribute("aria-pressed", button.dataset.axis === name);
  }
  redraw();
}

// Zooms so that `x` stays where it is. Returns whether anything changed.
function zoom(factor, x) {
  const full = fullWidth();
  const smallest = view.axis === "time" ? Math.min(20 * Math.min(...runs.map((run) => run.quantum)), full) : full / 1e6;
  const width = Math.min(Math.max((view.x1 - view.x0) * factor, smallest), full);
  const part = (x - view.x0) / (view.x1 - view.x0);
  return moveTo(x - part * width, width);
}

function pan(part) {
  const width = view.x1 - view.x0;
  return moveTo(view.x0 + part * width, width);
}

function moveTo(x0, width) {
  x0 = Math.min(Math.max(x0, 0), fullWidth() - width);
  const changed = x0 !== view.x0 || x0 + width !== view.x1;
  Object.assign(view, { x0, x1: x0 + width });
  if (changed) redraw();
  return changed;
}

function zoomRanks(factor, rank) {
  const n = Math.min(Math.max(Math.round((view.r1 - view.r0) * factor), 1), nRanks());
  const part = (rank - view.r0) / (view.r1 - view.r0);
  moveRanks(Math.round(rank - part * n), n);
}

function moveRanks(r0, n = view.r1 - view.r0) {
  r0 = Math.min(Math.max(r0, 0), nRanks() - n);
  Object.assign(view, { r0, r1: r0 + n });
  redraw();
}

function follow(rank) {
  view.followed = rank === null ? null : Math.min(Math.max(rank, 0), nRanks() - 1);
  if (rank !== null && (view.followed < view.r0 || view.followed >= view.r1)) {
    moveRanks(view.followed - Math.floor((view.r1 - view.r0) / 2));
  }
  showFollowed();
  redraw();
}

let due = false;
function redraw() {
  if (due) return;
  due = true;
  requestAnimationFrame(() => {
    due = false;
    drawAll();
  });
}

function drawAll() {
  for (const picture of pictures) picture.draw();
  drawOverlays();
}

// The times of a lane at the edges of columns.
function columnTimes(run, lane, n, times) {
  const { timeOf } = axis();
  for (let c = 0; c <= n; c++) times[c] = timeOf(run, lane, view.x0 + ((view.x1 - view.x0) * c) / n);
  return times;
}

const xOfPixel = (picture, px) => view.x0 + ((view.x1 - view.x0) * px) / picture.width;
const pixelOfX = (picture, x) => ((x - view.x0) / (view.x1 - view.x0)) * picture.width;
