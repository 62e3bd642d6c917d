// Wheel, drag, keys, pointer: what they do to the view, and what is shown on top of the pictures.

const overlays = [];

// A canvas above a picture, for what moves with the pointer.
function addOverlay(picture) {
  const canvas = document.createElement("canvas");
  canvas.className = "overlay";
  canvas.setAttribute("aria-hidden", "true");
  picture.canvas.after(canvas);
  overlays.push({ picture, canvas, context: canvas.getContext("2d") });
}

function drawOverlays() {
  for (const { picture, canvas, context } of overlays) {
    const { width, height } = picture.canvas;
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    Object.assign(canvas.style, { width: picture.width + "px", height: picture.height + "px" });
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, width, height);
    context.setTransform(picture.ratio, 0, 0, picture.ratio, 0, 0);
    context.strokeStyle = themeColour("--text");
    if (picture.rows && view.followed !== null) outline(picture, context);
    if (!view.pointer) continue;
    const x = pixelOfX(picture, view.pointer.x);
    context.lineWidth = 1;
    context.beginPath();
    context.moveTo(Math.round(x) + 0.5, 0);
    context.lineTo(Math.round(x) + 0.5, picture.height);
    context.stroke();
    if (picture === view.pointer.picture) drawWaits(picture, context);
  }
}

function outline(picture, context) {
  const rank = view.followed;
  if (rank < view.r0 || rank >= Math.min(view.r1, picture.run.nLanes)) return;
  const height = picture.rows.rowHeight / picture.ratio;
  context.lineWidth = 2;
  context.strokeRect(1, picture.heightOf(rank) - height / 2, picture.width - 2, height);
}

// Those who wait, each with a line to whom all of them wait for: from when the wait began to when it ended.
function waitsOf(run, lane, i) {
  if (i < 0) return [];
  const kind = run.what[i] & 15;
  const whom = run.whom[i];
  if (kind === SEVERAL || whom === NOBODY || whom >= run.nLanes) return [];
  if (!isAllreduce(kind)) {
    return run.wait[i] > 0 ? [{ lane, from: run.begin[i], to: run.begin[i] + run.wait[i], whom }] : [];
  }
  const came = run.begin[i] + run.wait[i];
  const waits = [];
  for (let other = 0; other < run.nLanes; other++) {
    const step = other === lane ? i : stepAt(run, other, came - 0.5);
    if (step < 0 || !isAllreduce(run.what[step] & 15) || run.whom[step] !== whom || other === whom) continue;
    if (run.wait[step] > 0) waits.push({ lane: other, from: run.begin[step], to: run.begin[step] + run.wait[step], whom });
  }
  return waits;
}

function drawWaits(picture, context) {
  const { run } = picture, { rank, step } = view.pointer;
  context.lineWidth = 1.5;
  for (const { lane, from, to, whom } of waitsOf(run, rank, step ?? -1)) {
    if (lane < view.r0 || lane >= view.r1 || whom < view.r0 || whom >= view.r1) continue;
    const px = (l, time) => pixelOfX(picture, axis().placeOf(run, l, time));
    context.beginPath();
    context.moveTo(px(lane, from), picture.heightOf(lane));
    context.lineTo(px(whom, to), picture.heightOf(whom));
    context.stroke();
    context.beginPath();
    context.arc(px(whom, to), picture.heightOf(whom), 3, 0, 7);
    context.fillStyle = themeColour("--text");
    context.fill();
  }
}

// What is under the pointer, for a timeline and the others.
function point(picture, px, py) {
  const x = xOfPixel(picture, px);
  const pointer = { picture, x, rank: null, step: null };
  if (picture.rows) {
    pointer.rank = picture.rankAt(py);
    if (pointer.rank !== null) {
      pointer.time = axis().timeOf(picture.run, pointer.rank, x);
      pointer.step = stepAt(picture.run, pointer.rank, pointer.time);
      if (x > axis().end(picture.run, pointer.rank)) pointer.step = -1;
    }
  }
  return pointer;
}

// Both runs at the same moment: "one-sided: rank 3 thinking, 5 digits claimed".
function bothInWords() {
  const { x } = view.pointer;
  const step = (view.x1 - view.x0) / 1000;
  const head = view.axis === "time" ? "at " + moment(x, step) : "at " + axis().name + " " + x.toFixed(2);
  return head + " — " + runs.map((run) => {
    const rank = Math.min(view.pointer.rank ?? rankOfAll(run), run.nLanes - 1);
    const time = axis().timeOf(run, rank, x);
    const state = x > axis().end(run, rank) ? "over" : stateInWords(run, rank, time);
    return run.about.label + ": rank " + rank + " " + state + ", " + nClaimed(run, time) + " digits claimed";
  }).join("; ");
}

function movePointer(picture, px, py, tip, status) {
  view.pointer = point(picture, px, py);
  status.textContent = bothInWords();
  const { rank, step } = view.pointer;
  const text = picture.inWords ? picture.inWords(view.pointer.x) : step !== null && step >= 0 ? stepInWords(picture.run, rank, step) : null;
  tip.hidden = text === null;
  if (text !== null) {
    tip.textContent = text;
    const place = picture.canvas.getBoundingClientRect();
    const left = Math.min(place.left + px + 12, document.documentElement.clientWidth - tip.offsetWidth - 8);
    tip.style.left = Math.max(left, 0) + window.scrollX + "px";
    // Above the pointer, where there is room: below it are more lanes.
    const above = place.top + py - tip.offsetHeight - 10;
    tip.style.top = (above >= 0 ? above : place.top + py + 16) + window.scrollY + "px";
  }
  drawOverlays();
}

function leave(tip, status) {
  view.pointer = null;
  tip.hidden = true;
  status.textContent = "";
  drawOverlays();
}

function listen(picture, tip, status) {
  const { canvas } = picture;
  let drag = null;
  canvas.addEventListener("wheel", (event) => {
    const sideways = event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY);
    if (event.altKey && picture.rows) {
      zoomRanks(event.deltaY > 0 ? 1.5 : 1 / 1.5, picture.rankAt(event.offsetY) ?? view.r0);
      event.preventDefault();
    } else if (sideways) {
      pan(Math.sign(event.deltaX || event.deltaY) * 0.1);
      event.preventDefault();
    } else if (zoom(Math.exp(Math.max(-1, Math.min(1, event.deltaY / 300))), xOfPixel(picture, event.offsetX))) {
      event.preventDefault(); // and else the page scrolls: all is shown already
    }
  }, { passive: false });
  canvas.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    drag = { x: event.offsetX, y: event.offsetY, from: view.x0, r0: view.r0, moved: false };
    canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (drag) {
      const [dx, dy] = [event.offsetX - drag.x, event.offsetY - drag.y];
      drag.moved = drag.moved || Math.hypot(dx, dy) > 4;
      if (drag.moved) {
        moveTo(drag.from - (dx / picture.width) * (view.x1 - view.x0), view.x1 - view.x0);
        if (picture.rows) moveRanks(drag.r0 - Math.round((dy / picture.height) * (view.r1 - view.r0)));
      }
    }
    movePointer(picture, event.offsetX, event.offsetY, tip, status);
  });
  canvas.addEventListener("pointerup", (event) => {
    if (drag && !drag.moved && picture.rows) {
      const rank = picture.rankAt(event.offsetY);
      follow(rank === view.followed ? null : rank);
    }
    drag = null;
  });
  canvas.addEventListener("pointercancel", () => (drag = null));
  canvas.addEventListener("pointerleave", () => leave(tip, status));
  canvas.addEventListener("keydown", (event) => key(event, tip, status));
}

function key(event, tip, status) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const middle = view.pointer ? view.pointer.x : (view.x0 + view.x1) / 2;
  const rows = view.r1 - view.r0, centre = view.r0 + rows / 2;
  const actions = {
    ArrowLeft: () => pan(-0.1),
    ArrowRight: () => pan(0.1),
    ArrowUp: () => follow((view.followed ?? view.r0 + 1) - 1),
    ArrowDown: () => follow((view.followed ?? view.r0 - 1) + 1),
    "+": () => zoom(1 / 1.5, middle),
    "=": () => zoom(1 / 1.5, middle),
    "-": () => zoom(1.5, middle),
    "[": () => zoomRanks(1.5, centre),
    "]": () => zoomRanks(1 / 1.5, centre),
    PageUp: () => moveRanks(view.r0 - rows),
    PageDown: () => moveRanks(view.r0 + rows),
    Home: showAll,
    0: showAll,
    Escape: () => {
      follow(null);
      leave(tip, status);
    },
  };
  const action = actions[event.key];
  if (!action) return;
  action();
  event.preventDefault();
}
