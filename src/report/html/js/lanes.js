// A run's timeline: a lane a rank, or several ranks a row where there are more than fit.

const COLOURS = { thinking: "#56b4e9", operation: "#e69f00", waiting: "#d55e00", other: "#999999", idle: "#bbbbbb", won: "#009e73" };
const MIN_ROW = 4;

// As a canvas has it in memory.
function rgba(colour) {
  const n = parseInt(colour.slice(1), 16);
  return (0xff000000 | ((n & 255) << 16) | (n & 0xff00) | (n >> 16)) >>> 0;
}
const PIXELS = STATES.map((name) => rgba(COLOURS[name]));
const IDLE = rgba(COLOURS.idle);
const themeColour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

// A canvas as wide as its place, sharp on screens with more pixels.
class Picture {
  constructor(canvas, height) {
    this.canvas = canvas;
    this.height = height;
    canvas.style.height = height + "px";
    this.context = canvas.getContext("2d");
    pictures.push(this);
  }

  // Returns the size in real pixels.
  begin() {
    const ratio = Math.min(window.devicePixelRatio || 1, 2);
    this.width = Math.max(this.canvas.clientWidth, 50);
    const w = Math.round(this.width * ratio), h = Math.round(this.height * ratio);
    if (this.canvas.width !== w || this.canvas.height !== h) Object.assign(this.canvas, { width: w, height: h });
    this.context.setTransform(1, 0, 0, 1, 0, 0);
    this.context.clearRect(0, 0, w, h);
    this.ratio = ratio;
    return [w, h];
  }
}

class Timeline extends Picture {
  constructor(canvas, run) {
    super(canvas, Math.min(440, Math.max(110, 24 * run.nLanes)));
    this.run = run;
  }

  // Ranks a row, and the height of a row in real pixels.
  layOut(h) {
    const n = Math.max(view.r1 - view.r0, 1);
    const perRow = Math.ceil((n * MIN_ROW * this.ratio) / h);
    const nRows = Math.ceil(n / perRow);
    const rowHeight = h / nRows;
    this.rows = { perRow, nRows, rowHeight, gap: rowHeight >= 8 * this.ratio ? Math.round(this.ratio) : 0 };
    return this.rows;
  }

  draw() {
    const [w, h] = this.begin();
    const { perRow, nRows, rowHeight, gap } = this.layOut(h);
    const image = this.context.createImageData(w, h);
    const pixels = new Uint32Array(image.data.buffer);
    const times = new Float64Array(w + 1), shares = new Float64Array(w * 4);
    const perLane = view.axis === "guess";
    if (!perLane) columnTimes(this.run, 0, w, times);
    for (let row = 0; row < nRows; row++) {
      shares.fill(0);
      const from = view.r0 + row * perRow, to = Math.min(from + perRow, view.r1, this.run.nLanes);
      let whole = null;
      for (let lane = from; lane < to; lane++) {
        if (perLane) {
          // By guesses the columns of each rank have their own length: shares of them are added up.
          columnTimes(this.run, lane, w, times);
          whole = this.addScaled(lane, times, w, shares, whole);
        } else addShares(this.run, lane, times, w, shares);
      }
      const top = Math.round(row * rowHeight), height = Math.round((row + 1) * rowHeight) - top - gap;
      if (to > from) this.paint(pixels, w, top, height, times, shares, to - from, whole);
    }
    this.context.putImageData(image, 0, 0);
    this.drawGames(w, h);
    this.drawClaims(rowHeight, gap, perRow);
    this.drawRanks(rowHeight, perRow);
  }

  // The numbers of ranks, where a lane is high enough for one.
  drawRanks(rowHeight, perRow) {
    const { context, ratio } = this;
    if (perRow > 1 || rowHeight < 12 * ratio) return;
    context.font = 10 * ratio + "px system-ui, sans-serif";
    context.fillStyle = "#000000b0";
    for (let rank = view.r0; rank < Math.min(view.r1, this.run.nLanes); rank++) {
      context.fillText(String(rank), 3 * ratio, (rank - view.r0 + 0.5) * rowHeight + 3.5 * ratio);
    }
  }

  addScaled(lane, times, w, shares, whole) {
    const own = new Float64Array(w * 4);
    addShares(this.run, lane, times, w, own);
    whole = whole || new Float64Array(w);
    for (let c = 0; c < w; c++) {
      const length = times[c + 1] - times[c];
      if (length <= 0) continue;
      whole[c] += 1;
      for (let k = c * 4; k < c * 4 + 4; k++) shares[k] += own[k] / length;
    }
    return whole;
  }

  // Each column of a row is filled from below in the shares of the states; a state that is there has a pixel at
  // least, so that no short stall is lost.
  paint(pixels, w, top, height, times, shares, nLanes, whole) {
    const parts = [0, 0, 0, 0];
    for (let c = 0; c < w; c++) {
      const length = whole ? whole[c] : (times[c + 1] - times[c]) * nLanes;
      if (length <= 0 || (!whole && times[c] >= this.run.span)) continue;
      let used = 0;
      for (let state = 0; state < 4; state++) {
        const share = shares[c * 4 + state] / length;
        parts[state] = share > 0 ? Math.max(1, Math.min(height, Math.round(share * height))) : 0;
        used += parts[state];
      }
      while (used > height) {
        const most = parts.indexOf(Math.max(...parts));
        parts[most] -= Math.max(1, Math.min(parts[most] - 1, used - height));
        used = parts[0] + parts[1] + parts[2] + parts[3];
      }
      let at = (top + height - 1) * w + c;
      for (let state = 0; state < 4; state++) {
        for (let n = parts[state]; n > 0; n--, at -= w) pixels[at] = PIXELS[state];
      }
      for (let n = height - used; n > 0; n--, at -= w) pixels[at] = IDLE;
    }
  }

  drawGames(w, h) {
    const { context, run } = this;
    if (view.axis !== "time" || run.games.length < 2) return;
    const xs = run.games.map((game) => Math.round((pixelOfX(this, game.begin * run.quantum)) * this.ratio));
    const visible = xs.filter((x) => x > 0 && x < w);
    if (visible.length > w / 12) return; // more lines than lanes
    context.fillStyle = themeColour("--text");
    for (const x of visible) context.fillRect(x, 0, 1, h);
  }

  // A green mark where a digit was won.
  drawClaims(rowHeight, gap, perRow) {
    const { context, run } = this;
    if (perRow > 1 || rowHeight < 8 * this.ratio) return;
    context.fillStyle = COLOURS.won;
    for (let lane = view.r0; lane < Math.min(view.r1, run.nLanes); lane++) {
      let before = -1;
      for (let k = run.claimFirst[lane]; k < run.claimFirst[lane + 1]; k++) {
        const place = axis().placeOf(run, lane, run.end[run.claimSteps[k]]);
        const x = Math.round(pixelOfX(this, place) * this.ratio);
        if (x < 0 || x > this.canvas.width || x === before) continue;
        before = x;
        context.fillRect(x - 1, Math.round((lane - view.r0) * rowHeight), 2 * this.ratio, Math.ceil((rowHeight - gap) / 2));
      }
    }
  }

  // The rank at a height, in CSS pixels.
  rankAt(y) {
    const { perRow, rowHeight } = this.rows;
    const rank = view.r0 + Math.floor(((y * this.ratio) / rowHeight) * perRow);
    return rank >= view.r0 && rank < Math.min(view.r1, this.run.nLanes) ? rank : null;
  }

  // The middle of a rank's lane, in CSS pixels.
  heightOf(rank) {
    const { perRow, rowHeight, gap } = this.rows;
    const row = Math.floor((rank - view.r0) / perRow);
    return (row * rowHeight + (rowHeight - gap) / 2) / this.ratio;
  }
}
