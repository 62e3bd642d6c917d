#!/usr/bin/env node
// Runs SQL over a Perfetto trace in Perfetto's own trace processor, the WebAssembly of its UI:
//
//     node perfetto.mjs ENGINE_DIR TRACE.pftrace 'SQL' ['SQL' ...]
//
// Prints a JSON array with one array of rows for each SQL; a row is an object from column name to
// number, string (text, a blob in hex, an integer beyond 2^53) or null. ENGINE_DIR has the UI's
// engine_bundle.js and trace_processor*.wasm. Any failure is one line on stderr and exit status 1.
import { closeSync, openSync, readFileSync, readSync } from "node:fs";
import { join } from "node:path";
import { compileFunction } from "node:vm";
import { webcrypto } from "node:crypto";

class Failure extends Error {}

function fail(error) {
  // The engine's own errors have a stack and its whole stderr in their message.
  const text = error instanceof Failure ? error.message : `the trace processor failed: ${error?.message ?? error}`;
  console.error(`perfetto.mjs: error: ${text.replace(/\s+/g, " ").trim().slice(0, 1000)}`);
  process.exit(1); // the engine, when it could not start, would keep the process running
}

async function main([directory, trace, ...queries]) {
  if (queries.length === 0) throw new Failure("expected ENGINE_DIR TRACE.pftrace SQL [SQL ...]");
  const call = await start(directory);
  load(call, trace);
  console.log(JSON.stringify(queries.map((sql) => query(call, sql)), null, 1));
}

// The engine ////////////////////////////////////////////////////////////////////////////////////

// With a tiny module that has just a memory (section 5) the bundle tests for 64-bit memory. Node 22
// knows an older form of it, passes and then refuses the real module, so all get the 32-bit one.
class Module extends WebAssembly.Module {
  constructor(bytes) {
    if (bytes[8] === 5) throw new Error("no 64-bit memory");
    super(bytes);
  }
}

// The bundle is a script for a web worker: it fetches its wasm with a synchronous XMLHttpRequest
// and talks through a MessagePort that the page hands over. Its Emscripten glue is compiled for
// workers alone and refuses what looks like Node, so the names it looks for are given it here, as
// parameters, which unlike globals or a vm context leave this script's own names and types alone.
async function start(directory) {
  const replies = [];
  const port = { postMessage: (bytes) => replies.push(Buffer.from(bytes)) };
  const worker = { location: { href: "file:///engine_bundle.js" } };
  const scope = {
    self: worker,
    WorkerGlobalScope: Object,
    process: undefined,
    console: { log() {}, warn() {}, error() {} }, // its stderr comes with its exceptions as well
    crypto: webcrypto,
    WebAssembly: Object.create(WebAssembly, { Module: { value: Module } }),
    XMLHttpRequest: class {
      open(_method, name) {
        this.name = name;
      }
      send() {
        this.response = read(join(directory, this.name));
      }
    },
  };
  const bundle = join(directory, "engine_bundle.js");
  compileFunction(read(bundle).toString(), Object.keys(scope), { filename: bundle })(...Object.values(scope));
  await new Promise(setImmediate); // the bundle sets up its request buffer in a promise
  worker.onmessage({ data: port });

  let seq = 0;
  return function call(method, args = []) {
    port.onmessage({ data: field(1, [field(1, seq++), field(2, method), ...args]) }); // replies before it returns
    const messages = [...decode(Buffer.concat(replies.splice(0)))].map(([, message]) => Object.fromEntries(decode(message)));
    for (const message of messages) {
      if (message[5]) throw new Error(message[5].toString());
      if (message[3] !== method) throw new Error(`method ${method} is unknown to this version`);
    }
    return messages;
  };
}

function read(path) {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new Failure(`no trace processor in ENGINE_DIR: ${error.message}`);
  }
}

// Its protocol: TraceProcessorRpc of Perfetto's trace_processor.proto ///////////////////////////

const APPEND = 1, FINALIZE = 2, QUERY = 3; // of TraceProcessorMethod

function load(call, trace) {
  const check = (messages, argument, errorField) => {
    for (const message of messages) {
      const error = Object.fromEntries(decode(message[argument] ?? Buffer.alloc(0)))[errorField];
      if (error) throw new Failure(`${trace} is not a valid trace: ${error}`);
    }
  };
  const chunk = Buffer.alloc(16 << 20); // the engine takes up to 32 MiB at a time
  let file, length, total = 0;
  try {
    file = openSync(trace);
    while ((length = readSync(file, chunk)) > 0) {
      total += length;
      check(call(APPEND, [field(101, chunk.subarray(0, length))]), 201, 2);
    }
    closeSync(file);
  } catch (error) {
    throw error.syscall ? new Failure(`cannot read the trace: ${error.message}`) : error;
  }
  // The trace processor takes nothing at all for a trace without events.
  if (total === 0) throw new Failure(`${trace} is empty`);
  check(call(FINALIZE), 212, 1);
}

function query(call, sql) {
  const columns = [];
  const cells = [];
  for (const message of call(QUERY, [field(103, [field(1, sql)])])) {
    for (const [number, value] of decode(message[203])) {
      if (number === 1) columns.push(value.toString());
      else if (number === 2 && value.length) throw new Failure(`SQL error: ${value} [in: ${sql}]`);
      else if (number === 3) for (const cell of decodeBatch(value)) cells.push(cell);
    }
  }
  if (columns.length === 0) return []; // a statement without a result
  if (new Set(columns).size < columns.length) throw new Failure(`two columns of one name [in: ${sql}]`);
  return Array.from({ length: cells.length / columns.length }, (_, row) =>
    Object.fromEntries(columns.map((column, i) => [column, cells[row * columns.length + i]])));
}

// A CellsBatch has the types of all cells, row by row, and apart from them the values of each type.
function* decodeBatch(batch) {
  let types = [], integers, doubles, strings, double = 0;
  const blobs = [];
  for (const [number, value] of decode(batch)) {
    if (number === 1) types = value; // packed varints, all of them of one byte
    else if (number === 2) integers = value;
    else if (number === 3) doubles = value;
    else if (number === 4) blobs.push(value);
    else if (number === 5) strings = value.toString().split("\0").values();
  }
  const view = { bytes: integers, at: 0 };
  for (const type of types) {
    if (type === 1) yield null;
    else if (type === 2) yield signed(varint(view));
    else if (type === 3) yield doubles.readDoubleLE(8 * double++);
    else if (type === 4) yield strings.next().value;
    else if (type === 5) yield blobs.shift().toString("hex");
    else throw new Error(`unknown cell type ${type}`);
  }
}

const signed = (value) => {
  const integer = BigInt.asIntN(64, BigInt(value));
  return Number.isSafeInteger(Number(integer)) ? Number(integer) : String(integer);
};

// Protobuf //////////////////////////////////////////////////////////////////////////////////////

// Encodes a field: a number as varint, text, bytes, or an array of encoded fields as a message.
function field(number, value) {
  if (typeof value === "number") return Buffer.concat([encodeVarint(number << 3), encodeVarint(value)]);
  const bytes = Array.isArray(value) ? Buffer.concat(value) : Buffer.from(value);
  return Buffer.concat([encodeVarint((number << 3) | 2), encodeVarint(bytes.length), bytes]);
}

function encodeVarint(value) {
  const bytes = [];
  for (; value > 127; value >>>= 7) bytes.push((value & 127) | 128);
  return Buffer.from([...bytes, value]);
}

// Yields the fields of a message: [number, varint or bytes].
function* decode(bytes) {
  const view = { bytes, at: 0 };
  const take = (length) => {
    if (view.at + length > bytes.length) throw new Error("a message of the trace processor is cut off");
    return bytes.subarray(view.at, (view.at += length));
  };
  while (view.at < bytes.length) {
    const tag = Number(varint(view));
    if ((tag & 7) === 0) yield [tag >>> 3, varint(view)];
    else if ((tag & 7) === 2) yield [tag >>> 3, take(Number(varint(view)))];
    else if ((tag & 7) === 1) yield [tag >>> 3, take(8)];
    else if ((tag & 7) === 5) yield [tag >>> 3, take(4)];
    else throw new Error(`a message of the trace processor has wire type ${tag & 7}`);
  }
}

// A number, or a BigInt where there are more than 28 bits.
function varint(view) {
  let value = 0;
  for (let shift = 0; shift < 70; shift += 7) {
    const byte = view.bytes[view.at++];
    if (byte === undefined) break;
    if (shift < 28) value |= (byte & 127) << shift;
    else value = BigInt(value) | (BigInt(byte & 127) << BigInt(shift));
    if (byte < 128) return value;
  }
  throw new Error("a message of the trace processor has a broken varint");
}

process.on("unhandledRejection", fail); // from the engine's own promise
main(process.argv.slice(2)).catch(fail);
