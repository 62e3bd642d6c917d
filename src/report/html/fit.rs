//! Making a run's payload fit: first by coarser times, then by merging records.

use std::io::{self, Write};

use flate2::Compression;
use flate2::write::DeflateEncoder;

use super::encode::{COLUMNS, Columns, encode};
use super::lanes::Lanes;
use super::merge;

/// How a size is estimated: from lanes that have at least so many steps together.
const SAMPLE_STEPS: usize = 200_000;

/// A run as it is written into the page.
#[derive(Debug)]
pub(super) struct Payload {
    /// Times are to so many nanoseconds.
    pub(super) quantum_ns: u64,
    /// Neighbouring records within so many nanoseconds are one step; 0: all records are there.
    pub(super) cell_ns: u64,
    /// Length of each of [`COLUMNS`], in bytes.
    pub(super) lengths: [usize; COLUMNS.len()],
    /// All columns, one after the other: deflate, base64.
    pub(super) text: String,
}

/// Packs a run into `budget_bytes` of base64; `None` where nothing helps.
pub(super) fn fit(lanes: &mut Lanes, budget_bytes: usize) -> Option<Payload> {
    // A record, give or take, has at least so many quanta.
    let mean_ns =
        lanes.span_ns.saturating_mul(lanes.lanes.len() as u64) / lanes.n_steps.max(1) as u64;
    let coarsest_ns = power_of_ten((mean_ns / 20).min(lanes.span_ns / 100_000));
    let mut quantum_ns = match lanes.cell_ns {
        0 => 1,
        _ => coarsest_ns,
    };
    let mut merged = lanes.cell_ns > 0;
    loop {
        if estimate(lanes, quantum_ns) <= budget_bytes {
            let payload = pack(&encode(lanes, quantum_ns, 1), quantum_ns, lanes.cell_ns);
            if payload.text.len() <= budget_bytes {
                return Some(payload);
            }
        }
        if !merged && quantum_ns < coarsest_ns {
            quantum_ns *= 10;
            continue;
        }
        let cell_ns = match lanes.cell_ns {
            0 => merge::first_cell_ns(lanes),
            cell_ns => cell_ns.saturating_mul(2),
        };
        if cell_ns / 2 > lanes.span_ns.max(1) {
            return None;
        }
        merged = true;
        quantum_ns = power_of_ten(cell_ns / 200).max(quantum_ns);
        lanes.merge(cell_ns);
    }
}

/// The largest of 1, 10, 100, … that is not larger.
fn power_of_ten(ns: u64) -> u64 {
    10u64.pow(ns.max(1).ilog10())
}

/// About how long the text will be.
fn estimate(lanes: &Lanes, quantum_ns: u64) -> usize {
    let stride = (lanes.n_steps / SAMPLE_STEPS).clamp(1, lanes.lanes.len().max(1));
    if stride == 1 {
        return 0; // as quickly known as estimated
    }
    let sample = encode(lanes, quantum_ns, stride);
    let tables = [&sample.games, &sample.last, &sample.enter, &sample.rounds];
    let of_tables: usize = tables.iter().map(|table| deflated(&[table]).len()).sum();
    let of_lanes = deflated(&sample.all()[..9]).len() * stride;
    (of_lanes + of_tables).div_ceil(3) * 4
}

fn pack(columns: &Columns, quantum_ns: u64, cell_ns: u64) -> Payload {
    let all = columns.all();
    Payload {
        quantum_ns,
        cell_ns,
        lengths: all.map(<[u8]>::len),
        text: base64(&deflated(&all)),
    }
}

fn deflated(parts: &[&[u8]]) -> Vec<u8> {
    let write = || -> io::Result<Vec<u8>> {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
        for part in parts {
            encoder.write_all(part)?;
        }
        encoder.finish()
    };
    write().expect("memory takes it")
}

/// RFC 4648, with padding.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let word = chunk
            .iter()
            .fold(0u32, |word, &byte| word << 8 | u32::from(byte))
            << (8 * (3 - chunk.len()));
        for digit in 0..4 {
            match digit <= chunk.len() {
                true => text.push(char::from(DIGITS[(word >> (18 - 6 * digit) & 63) as usize])),
                false => text.push('='),
            }
        }
    }
    text
}
