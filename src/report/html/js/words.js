// Numbers and records in words.

// Three significant digits and a unit, as the text report has it.
function duration(ns) {
  const [value, unit] = ns >= 1e9 ? [ns / 1e9, "s"] : ns >= 1e6 ? [ns / 1e6, "ms"] : ns >= 1e3 ? [ns / 1e3, "us"] : [ns, "ns"];
  if (ns === 0) return "0 s";
  return value.toFixed(value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2) + " " + unit;
}

// A moment, to what the distance of two columns tells apart.
function moment(ns, step) {
  const [scale, unit] = step >= 1e8 ? [1e9, "s"] : step >= 1e5 ? [1e6, "ms"] : step >= 100 ? [1e3, "us"] : [1, "ns"];
  const decimals = Math.max(0, Math.min(6, Math.ceil(-Math.log10(step / scale) - 1e-9)));
  return (ns / scale).toFixed(decimals) + " " + unit;
}

function percent(share) {
  const p = 100 * share;
  return p > 0 && p < 1 ? "< 1 %" : p > 99 && p < 100 ? "> 99 %" : p.toFixed(0) + " %";
}

// Game and guess of a step: "game 2, guess 7".
function placeInWords(run, lane, i) {
  const from = run.gameFirst[lane], to = run.gameFirst[lane + 1];
  let game = from;
  for (let k = from; k < to && run.gameAt[k] <= i; k++) game = k;
  const breaks = guessBreaks(run, lane);
  const number = (time) => firstGreater(breaks, time, 1, breaks.length);
  const middle = (run.begin[i] + run.end[i]) / 2;
  // Guesses are counted from the beginning of the game.
  const before = run.gameAt[game] > run.first[lane] ? number(run.begin[run.gameAt[game]]) - 1 : 0;
  const guess = Math.min(number(middle), breaks.length - 1) - before;
  const one = run.about.games === 1 || run.about.cell_ns > 0;
  return (one ? "" : "game " + run.games[run.gameIs[game]].number + ", ") + "guess " + guess;
}

// A step in words: "rank 3, guess 7: claim of digit 4, won, 19.7 us".
function stepInWords(run, lane, i) {
  const ns = (time) => duration(time * run.quantum);
  const kind = run.what[i] & 15, length = run.end[i] - run.begin[i];
  let text = "rank " + lane;
  if (kind === SEVERAL) {
    mixed.fill(0);
    addStates(run, i, mixed, 0);
    const parts = STATES.map((name, state) => [mixed[state], name]).filter(([time]) => time > 0);
    const n = sumOf(run, i, 0);
    text += ": " + n + " records in " + ns(length) + ", ";
    text += parts.map(([time, name]) => percent(time / (length || 1)) + " " + name).join(", ");
  } else {
    const [name, outcome] = WORDS[kind];
    if (kind !== 0 && kind !== 2) text += ", " + placeInWords(run, lane, i);
    const isUpkeep = kind === 10 && run.item[i] === 0;
    text += ": " + (isUpkeep ? "signs of life or checkpoints" : name);
    if (isOperation(kind) && kind !== 5 && !isUpkeep) text += run.item[i] ? " of digit " + run.item[i] : " of 0, which claims nothing";
    if (outcome) text += ", " + outcome;
    text += ", " + ns(length);
  }
  if (run.wait[i] > 0 && run.whom[i] !== NOBODY) {
    text += "; " + ns(run.wait[i]) + " of it waiting " + (kind === SEVERAL ? "most of all " : "") + "for rank " + run.whom[i];
  } else if (isAllreduce(kind) && run.whom[i] === lane) {
    text += "; it came last";
  }
  return text;
}

// What a rank is about at a time: "thinking", "waiting for rank 0".
function stateInWords(run, lane, time) {
  const i = lane < run.nLanes ? stepAt(run, lane, time) : -1;
  if (i < 0) return time > run.span ? "over" : "idle";
  if ((run.what[i] & 15) === SEVERAL) return "in several records";
  if (time < run.begin[i] + run.wait[i]) return "waiting for " + lastInWords(run.whom[i]);
  return STATES[stateOf(run.what[i] & 15)];
}

function nClaimed(run, time) {
  return firstGreater(run.claimTimes, time, 1, run.claimTimes.length - 1) - 1;
}

function axisLabel(x, step) {
  if (view.axis === "time") return moment(x, step);
  return step < 1 ? x.toFixed(Math.ceil(-Math.log10(step))) : String(Math.round(x));
}
