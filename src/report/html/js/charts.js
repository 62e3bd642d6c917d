// The charts that share the timelines' axis: who came last, digits claimed, the axis itself. And the matrix.

// Those who were last most often have colours of their own, which are none of the states'.
const LASTS = ["#0072b2", "#f0e442", "#cc79a7", "#332288", "#44aa99", "#882255", "#117733"];

class Strip extends Picture {
  constructor(canvas, run, legend) {
    super(canvas, 18);
    this.run = run;
    const counts = new Map();
    let all = 0;
    run.roundLast.forEach((rank, round) => {
      counts.set(rank, (counts.get(rank) || 0) + run.roundCount[round]);
      all += run.roundCount[round];
    });
    this.counts = counts;
    const most = [...counts].sort((a, b) => b[1] - a[1] || a[0] - b[0]);
    this.colours = new Map(most.slice(0, LASTS.length).map(([rank], k) => [rank, k]));
    legend.textContent = "Last in a round: ";
    most.slice(0, LASTS.length).forEach(([rank, n], k) => addKey(legend, LASTS[k], lastInWords(rank) + " (" + percent(n / all) + ")"));
    if (most.length > LASTS.length) addKey(legend, COLOURS.other, "others");
  }

  // Who came last in the round that ends next.
  inWords(x) {
    const { run } = this;
    const time = axis().timeOf(run, rankOfAll(run), x);
    const round = firstGreater(run.roundEnter, time, 0, run.roundEnter.length);
    if (round === run.roundEnter.length || x > axis().end(run, rankOfAll(run))) return null;
    const n = run.roundCount[round];
    const which = n > 1 ? "in " + n + " rounds was waited for longest" : "came last in this round";
    return lastInWords(run.roundLast[round]) + " " + which;
  }

  draw() {
    const [w, h] = this.begin();
    const { run, context } = this;
    const times = columnTimes(run, rankOfAll(run), w, new Float64Array(w + 1));
    const n = LASTS.length + 1;
    const shares = new Float64Array(w * n);
    const { roundEnter, roundLast } = run;
    let column = 0;
    // A round lasts from the one before to the moment when the last one came.
    for (let round = firstGreater(roundEnter, times[0], 0, roundEnter.length); round < roundEnter.length; round++) {
      const from = round ? roundEnter[round - 1] : 0, to = roundEnter[round];
      if (from >= times[w]) break;
      while (column < w - 1 && times[column + 1] <= from) column++;
      const colour = this.colours.get(roundLast[round]) ?? LASTS.length;
      for (let c = column; c < w && times[c] < to; c++) {
        shares[c * n + colour] += Math.max(0, Math.min(to, times[c + 1]) - Math.max(from, times[c]));
      }
    }
    for (let c = 0; c < w; c++) {
      let at = 0;
      const length = times[c + 1] - times[c];
      for (let k = 0; k < n && length > 0; k++) {
        const part = (shares[c * n + k] / length) * h;
        if (part <= 0) continue;
        context.fillStyle = LASTS[k] || COLOURS.other;
        context.fillRect(c, at, 1, Math.max(part, 1));
        at += part;
      }
    }
  }
}

// Where several came last within the errors of their clocks, or records are missing, it is not known who did.
function lastInWords(rank) {
  return rank === NOBODY ? "an unknown rank" : "rank " + rank;
}

function addKey(legend, colour, text) {
  const key = document.createElement("span");
  const box = document.createElement("i");
  box.style.background = colour;
  key.append(box, text);
  legend.append(key, " ");
}

class Digits extends Picture {
  constructor(canvas) {
    super(canvas, 160);
  }

  draw() {
    const [w, h] = this.begin();
    const { context, ratio } = this;
    const most = Math.max(...runs.map((run) => run.nClaims), 1);
    const y = (n) => h - 3 * ratio - (n / most) * (h - 16 * ratio);
    context.font = 11 * ratio + "px system-ui, sans-serif";
    context.fillStyle = themeColour("--text");
    context.fillText(most === 1 ? "1 digit" : most + " digits", 4 * ratio, 11 * ratio);
    for (const run of runs) {
      context.strokeStyle = run.about.colour;
      context.lineWidth = 2 * ratio;
      context.beginPath();
      const times = columnTimes(run, rankOfAll(run), w, new Float64Array(w + 1));
      let before = null;
      for (let c = 0; c <= w; c++) {
        if (c > 0 && times[c] <= times[c - 1] && times[c] >= run.span) break;
        const n = nClaimed(run, times[c]);
        if (before === null) context.moveTo(c, y(n));
        else if (n !== before) {
          context.lineTo(c, y(before));
          context.lineTo(c, y(n));
        }
        before = n;
        if (c === w || times[c] >= run.span) {
          context.lineTo(c, y(n));
          break;
        }
      }
      context.stroke();
    }
  }
}

class Axis extends Picture {
  constructor(canvas) {
    super(canvas, 20);
  }

  draw() {
    const [w] = this.begin();
    const { context, ratio } = this;
    const step = niceStep((view.x1 - view.x0) / (this.width / 110));
    context.font = 11 * ratio + "px system-ui, sans-serif";
    context.fillStyle = themeColour("--text");
    for (let k = Math.ceil(view.x0 / step); k * step <= view.x1; k++) {
      const x = pixelOfX(this, k * step) * ratio;
      context.fillRect(Math.round(x), 0, 1, 4 * ratio);
      const text = axisLabel(k * step, step);
      const width = context.measureText(text).width;
      context.fillText(text, Math.min(Math.max(x - width / 2, 0), w - width), 15 * ratio);
    }
  }
}

// 1, 2 or 5 times a power of ten.
function niceStep(least) {
  const power = 10 ** Math.floor(Math.log10(least));
  return power * ([1, 2, 5].find((n) => n * power >= least) || 10);
}

// Who waited (down) for whom (across); the stronger the colour, the longer.
class Matrix extends Picture {
  constructor(canvas, about, tip) {
    super(canvas, 260);
    canvas.style.width = "260px";
    Object.assign(this, { about, most: Math.max(...about.matrix, 1) });
    canvas.addEventListener("pointermove", (event) => {
      const [row, column] = [event.offsetY, event.offsetX].map((px) => Math.floor((px / 260) * about.blocks));
      tip.textContent = this.inWords(Math.min(row, about.blocks - 1), Math.min(column, about.blocks - 1));
    });
    canvas.addEventListener("pointerleave", () => (tip.textContent = ""));
  }

  inWords(row, column) {
    const { about } = this;
    const name = (block) => {
      const from = block * about.ranks_per_block, to = Math.min(from + about.ranks_per_block, about.ranks) - 1;
      return from === to ? "rank " + from : "ranks " + from + " to " + to;
    };
    return name(row) + " waited " + duration(about.matrix[row * about.blocks + column]) + " for " + name(column);
  }

  draw() {
    const [w, h] = this.begin();
    const { about, context } = this;
    const n = about.blocks;
    context.fillStyle = themeColour("--cell");
    context.fillRect(0, 0, w, h);
    context.fillStyle = COLOURS.waiting;
    for (let row = 0; row < n; row++) {
      for (let column = 0; column < n; column++) {
        const share = about.matrix[row * n + column] / this.most;
        if (share === 0) continue;
        context.globalAlpha = 0.15 + 0.85 * share;
        const x = Math.floor((column * w) / n), y = Math.floor((row * h) / n);
        const gap = w / n > 6 ? 1 : 0;
        context.fillRect(x, y, Math.floor(((column + 1) * w) / n) - x - gap, Math.floor(((row + 1) * h) / n) - y - gap);
      }
    }
    context.globalAlpha = 1;
  }
}
