// Unpacks what ../encode.rs has written: columns of varints, deflated, in base64.

const THINK = 1, SEVERAL = 11;
const CLAIMED = 0x10, WAITS = 0x20, NEXT_GAME = 0x40;
const NOBODY = 0xffffffff;
const WORDS = [
  ["start of the game"], ["thinking"], ["end of the game"],
  ["claim", "won"], ["claim", "lost"], ["look at the board"], ["guess", "known to be claimed, skipped"],
  ["allreduce", "won"], ["allreduce", "lost"], ["allreduce", "tells of a score"],
  ["entry in the ledger"], ["several records"],
];
const isOperation = (kind) => kind >= 3 && kind <= 10;
const isAllreduce = (kind) => kind >= 7 && kind <= 9;
const isGuess = (kind) => kind >= 3 && kind <= 8;
const tellsOfScore = (kind) => kind === 9 || kind === 10;
// 0 thinking, 1 operation, 3 other; 2 is waiting, which has no kind of its own.
const THINKING = 0, OPERATION = 1, WAITING = 2, OTHER = 3;
const stateOf = (kind) => (kind === THINK ? THINKING : isOperation(kind) ? OPERATION : OTHER);
const STATES = ["thinking", "operation", "waiting", "other"];

// Steps of a lane are summed up in chunks of so many, so that nobody walks over all of them.
const CHUNK = 64;

class Numbers {
  constructor(bytes) {
    this.bytes = bytes;
    this.at = 0;
  }

  next() {
    let byte = this.bytes[this.at++];
    if (byte < 128) return byte;
    let value = byte & 127, scale = 128;
    do {
      byte = this.bytes[this.at++];
      value += (byte & 127) * scale;
      scale *= 128;
    } while (byte > 127);
    return value;
  }

  signed() {
    const n = this.next();
    return n % 2 ? -(n + 1) / 2 : n / 2;
  }
}

function bytesOf(text) {
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(text);
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = binary.charCodeAt(i);
  return bytes;
}

async function inflated(bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

// A run as typed arrays. Times are quanta since its origin; step i of lane l is first[l] + i.
async function unpack(text, about) {
  const bytes = await inflated(bytesOf(text));
  const columns = {};
  let from = 0;
  for (const [name, length] of about.columns) {
    columns[name] = new Numbers(bytes.subarray(from, from + length));
    from += length;
  }
  if (from !== bytes.length) throw new Error("the data of " + about.label + " is not whole");
  const run = { about, quantum: about.quantum_ns, nLanes: about.ranks, span: 0 };
  unpackGames(run, columns);
  unpackRounds(run, columns);
  unpackSteps(run, columns);
  for (const column of Object.values(columns)) {
    if (column.at !== column.bytes.length) throw new Error("the data of " + about.label + " is damaged");
  }
  sumChunks(run);
  collectClaims(run);
  return run;
}

function unpackGames(run, { games }) {
  run.games = [];
  let number = 0, begin = 0, firstRound = 0;
  while (games.at < games.bytes.length) {
    number += games.signed();
    const rounds = games.next();
    begin += games.signed();
    run.games.push({ number, begin, firstRound });
    firstRound += rounds;
  }
}

function unpackRounds(run, { last, enter, rounds }) {
  const lasts = [], enters = [], counts = [];
  let at = 0;
  while (last.at < last.bytes.length) {
    lasts.push(last.next());
    enters.push((at += enter.signed()));
    counts.push(rounds.next());
  }
  run.roundLast = Uint32Array.from(lasts);
  run.roundEnter = Float64Array.from(enters);
  run.roundCount = Float64Array.from(counts);
}

function unpackSteps(run, columns) {
  const { steps, what, game, gap, length, item, wait, whom, sums } = columns;
  run.first = new Uint32Array(run.nLanes + 1);
  for (let lane = 0; lane < run.nLanes; lane++) run.first[lane + 1] = run.first[lane] + steps.next();
  const n = run.first[run.nLanes];
  const begins = (run.begin = new Float64Array(n)), ends = (run.end = new Float64Array(n));
  const waits = (run.wait = new Float64Array(n)), whoms = (run.whom = new Uint32Array(n).fill(NOBODY));
  const items = (run.item = new Uint32Array(n));
  const whats = (run.what = what.bytes);
  what.at = n;
  const { roundEnter, roundLast, games } = run;
  const linked = run.about.cell_ns === 0;
  // Games of lanes: from which step on, and which.
  run.gameFirst = new Uint32Array(run.nLanes + 1);
  run.gameAt = [];
  run.gameIs = [];
  run.sums = [];
  for (let lane = 0; lane < run.nLanes; lane++) {
    let end = 0, inGame = 0, round = games.length ? games[0].firstRound : 0;
    run.gameAt.push(run.first[lane]);
    run.gameIs.push(0);
    for (let i = run.first[lane]; i < run.first[lane + 1]; i++) {
      const bits = whats[i], kind = bits & 15;
      if (bits & NEXT_GAME) {
        inGame += game.next();
        round = games[inGame].firstRound;
        run.gameAt.push(i);
        run.gameIs.push(inGame);
      }
      const begin = (begins[i] = end + gap.next());
      if (linked && isAllreduce(kind)) {
        const enter = roundEnter[round];
        end = Math.max(enter, begin) + length.signed();
        waits[i] = Math.min(Math.max(enter, begin), end) - begin;
        whoms[i] = roundLast[round++];
      } else {
        end = begin + length.next();
      }
      ends[i] = end;
      if (bits & WAITS) {
        waits[i] = wait.next();
        whoms[i] = whom.next();
      }
      if (kind === SEVERAL) {
        items[i] = run.sums.length / 8;
        for (let k = 0; k < 8; k++) run.sums.push(sums.next());
      } else if (isOperation(kind)) {
        items[i] = item.next();
      }
    }
    run.gameFirst[lane + 1] = run.gameAt.length;
    run.span = Math.max(run.span, end);
  }
  run.sums = Float64Array.from(run.sums);
}

// What several records in one step are: records, thinks, operations, guesses, claimed; times.
const sumOf = (run, i, k) => run.sums[run.item[i] * 8 + k];

// How long each state lasts in a step, added to sums[at…].
function addStates(run, i, sums, at) {
  const kind = run.what[i] & 15;
  sums[at + WAITING] += run.wait[i];
  if (kind === SEVERAL) {
    sums[at + THINKING] += sumOf(run, i, 5);
    sums[at + OPERATION] += sumOf(run, i, 6);
    sums[at + OTHER] += sumOf(run, i, 7);
  } else {
    sums[at + stateOf(kind)] += run.end[i] - run.begin[i] - run.wait[i];
  }
}

function sumChunks(run) {
  run.chunkFirst = new Uint32Array(run.nLanes + 1);
  for (let lane = 0; lane < run.nLanes; lane++) {
    const n = run.first[lane + 1] - run.first[lane];
    run.chunkFirst[lane + 1] = run.chunkFirst[lane] + Math.floor(n / CHUNK);
  }
  run.chunks = new Float64Array(run.chunkFirst[run.nLanes] * 4);
  // What waited, if only for less than a quantum.
  run.chunkWaits = new Uint8Array(run.chunkFirst[run.nLanes]);
  for (let lane = 0; lane < run.nLanes; lane++) {
    let i = run.first[lane];
    for (let chunk = run.chunkFirst[lane]; chunk < run.chunkFirst[lane + 1]; chunk++) {
      for (const until = i + CHUNK; i < until; i++) {
        addStates(run, i, run.chunks, chunk * 4);
        run.chunkWaits[chunk] |= run.what[i] & WAITS;
      }
    }
  }
}

// When digits were claimed, in order, and by which steps of each lane.
function collectClaims(run) {
  const steps = [], times = [0];
  run.claimFirst = new Uint32Array(run.nLanes + 1);
  for (let lane = 0; lane < run.nLanes; lane++) {
    for (let i = run.first[lane]; i < run.first[lane + 1]; i++) {
      const bits = run.what[i];
      const n = (bits & 15) === SEVERAL ? sumOf(run, i, 4) : bits & CLAIMED ? 1 : 0;
      if (n > 0) steps.push(i);
      for (let k = 0; k < n; k++) times.push(run.end[i]);
    }
    run.claimFirst[lane + 1] = steps.length;
  }
  times.push(run.span);
  run.claimSteps = Uint32Array.from(steps);
  // From the beginning to the end of the run.
  run.claimTimes = Float64Array.from(times).sort();
  run.nClaims = times.length - 2;
}
