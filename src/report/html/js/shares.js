// How much of each state there is in each column of a picture, and what lies at a moment.

// The first index in [from, to) whose value is greater than `value`.
function firstGreater(values, value, from, to) {
  while (from < to) {
    const middle = (from + to) >>> 1;
    if (values[middle] > value) to = middle;
    else from = middle + 1;
  }
  return from;
}

// The step of a lane that is going on at a time, or -1.
function stepAt(run, lane, time) {
  const first = run.first[lane];
  const i = firstGreater(run.begin, time, first, run.first[lane + 1]) - 1;
  return i >= first && time <= run.end[i] ? i : -1;
}

// Waiting that is shorter than a quantum is there all the same.
const TRACE = 1e-6;

// Adds the times of a lane's states to out[column * 4 + state]. Column c is from times[c] to times[c + 1].
function addShares(run, lane, times, n, out) {
  const { begin, end, what } = run;
  const first = run.first[lane], last = run.first[lane + 1];
  const nChunks = run.chunkFirst[lane + 1] - run.chunkFirst[lane];
  const until = times[n];
  let column = 0;
  let i = firstGreater(end, times[0], first, last);
  while (i < last && begin[i] < until) {
    const from = begin[i];
    while (column < n - 1 && times[column + 1] <= from) column++;
    const chunk = (i - first) / CHUNK;
    if (Number.isInteger(chunk) && chunk < nChunks && from >= times[column] && end[i + CHUNK - 1] <= times[column + 1]) {
      const at = (run.chunkFirst[lane] + chunk) * 4;
      for (let state = 0; state < 4; state++) out[column * 4 + state] += run.chunks[at + state];
      if (run.chunkWaits[at / 4]) out[column * 4 + WAITING] += TRACE;
      i += CHUNK;
      continue;
    }
    const kind = what[i] & 15;
    if (kind === SEVERAL) addMixed(run, i, times, n, column, out);
    else {
      const waited = from + run.wait[i];
      if (run.wait[i] > 0) addSpan(from, waited, times, n, column, out, WAITING);
      else if (what[i] & WAITS && from >= times[column]) out[column * 4 + WAITING] += TRACE;
      addSpan(waited, end[i], times, n, column, out, stateOf(kind));
    }
    i++;
  }
}

function addSpan(from, to, times, n, column, out, state) {
  for (let c = column; c < n && times[c] < to; c++) {
    const time = Math.min(to, times[c + 1]) - Math.max(from, times[c]);
    if (time > 0) out[c * 4 + state] += time;
  }
}

// Where in a step its records are is not known: its states are alike all over it.
function addMixed(run, i, times, n, column, out) {
  const from = run.begin[i], to = run.end[i], length = to - from || 1;
  mixed.fill(0);
  addStates(run, i, mixed, 0);
  for (let c = column; c < n && times[c] < to; c++) {
    const part = (Math.min(to, times[c + 1]) - Math.max(from, times[c])) / length;
    if (part > 0) for (let state = 0; state < 4; state++) out[c * 4 + state] += part * mixed[state];
  }
}
const mixed = new Float64Array(4);

// Where the guesses of a lane end: the axis by guesses has a whole number there. An operation that tells
// of a score belongs to the guess that scored.
function guessBreaks(run, lane) {
  run.guesses = run.guesses || [];
  if (run.guesses[lane]) return run.guesses[lane];
  const first = run.first[lane], last = run.first[lane + 1];
  const breaks = [first < last ? run.begin[first] : 0];
  for (let i = first; i < last; i++) {
    const kind = run.what[i] & 15;
    if (kind === SEVERAL) {
      const n = sumOf(run, i, 3);
      for (let k = 1; k <= n; k++) breaks.push(run.begin[i] + (k / n) * (run.end[i] - run.begin[i]));
    } else if (isGuess(kind)) {
      const tells = i + 1 < last && tellsOfScore(run.what[i + 1] & 15);
      breaks.push(run.end[tells ? i + 1 : i]);
    }
  }
  return (run.guesses[lane] = Float64Array.from(breaks));
}

const nGuesses = (run, lane) => guessBreaks(run, lane).length - 1;

// Axes: how far they go for a run, and for a rank; the place of a time on them, and the time of a place.
const AXES = {
  time: {
    name: "time",
    full: (run) => run.span * run.quantum,
    end: (run) => run.span * run.quantum,
    timeOf: (run, lane, x) => x / run.quantum,
    placeOf: (run, lane, time) => time * run.quantum,
  },
  guess: {
    name: "guess",
    full: (run) => {
      let most = 1;
      for (let lane = 0; lane < run.nLanes; lane++) most = Math.max(most, nGuesses(run, lane));
      return most;
    },
    end: nGuesses,
    timeOf: (run, lane, x) => timeBetween(guessBreaks(run, lane), x),
    placeOf: (run, lane, time) => placeBetween(guessBreaks(run, lane), time),
  },
  digits: {
    name: "digits claimed",
    full: (run) => run.claimTimes.length - 1,
    end: (run) => run.claimTimes.length - 1,
    timeOf: (run, lane, x) => timeBetween(run.claimTimes, x),
    placeOf: (run, lane, time) => placeBetween(run.claimTimes, time),
  },
};

function timeBetween(breaks, x) {
  const last = breaks.length - 1;
  if (x <= 0) return breaks[0];
  if (x >= last) return breaks[last];
  const k = Math.floor(x);
  return breaks[k] + (x - k) * (breaks[k + 1] - breaks[k]);
}

function placeBetween(breaks, time) {
  const last = breaks.length - 1;
  const k = Math.min(Math.max(firstGreater(breaks, time, 0, last + 1) - 1, 0), Math.max(last - 1, 0));
  const length = breaks[k + 1] - breaks[k];
  return k + (length > 0 ? Math.min(Math.max((time - breaks[k]) / length, 0), 1) : 1);
}
