//! Reads a payload by what `encode.rs` says of it, and by RFC 1951 and RFC 4648 of others.

use std::io::Read;

use super::super::encode::COLUMNS;
use super::super::fit::Payload;
use super::NOBODY;

/// A step as it was read; times in quanta.
#[derive(Debug, Clone, Default)]
pub(super) struct ReadStep {
    pub(super) what: u8,
    pub(super) claimed: bool,
    pub(super) begin: u64,
    pub(super) end: u64,
    pub(super) wait: u64,
    pub(super) whom: u32,
    pub(super) item: u32,
    pub(super) counts: [u64; 5],
    pub(super) times: [u64; 3],
}

#[derive(Debug)]
pub(super) struct Decoded {
    pub(super) lanes: Vec<Vec<ReadStep>>,
}

impl Decoded {
    pub(super) fn of(payload: &Payload) -> Self {
        let mut bytes = Vec::new();
        flate2::read::DeflateDecoder::new(&from_base64(&payload.text)[..])
            .read_to_end(&mut bytes)
            .expect("deflate");
        decode(&bytes, &payload.lengths, payload.cell_ns > 0)
    }
}

fn from_base64(text: &str) -> Vec<u8> {
    let (mut bits, mut n_bits, mut bytes) = (0u32, 0, Vec::new());
    for digit in text.chars().filter(|&digit| digit != '=') {
        let value = match digit {
            'A'..='Z' => digit as u32 - 'A' as u32,
            'a'..='z' => digit as u32 - 'a' as u32 + 26,
            '0'..='9' => digit as u32 - '0' as u32 + 52,
            '+' => 62,
            '/' => 63,
            other => panic!("{other:?} is no digit"),
        };
        (bits, n_bits) = (bits << 6 | value, n_bits + 6);
        if n_bits >= 8 {
            n_bits -= 8;
            bytes.push((bits >> n_bits) as u8);
            bits &= (1 << n_bits) - 1;
        }
    }
    bytes
}

struct Column<'a>(&'a [u8]);

impl Column<'_> {
    fn next(&mut self) -> u64 {
        let length = self
            .0
            .iter()
            .position(|byte| byte & 0x80 == 0)
            .expect("a whole number")
            + 1;
        let (number, rest) = self.0.split_at(length);
        self.0 = rest;
        number
            .iter()
            .rev()
            .fold(0, |sum, byte| sum << 7 | u64::from(byte & 0x7f))
    }

    fn signed(&mut self) -> i64 {
        let number = self.next();
        match number & 1 {
            0 => (number >> 1) as i64,
            _ => -((number >> 1) as i64) - 1,
        }
    }
}

pub(super) fn decode(bytes: &[u8], lengths: &[usize; COLUMNS.len()], merged: bool) -> Decoded {
    let mut rest = bytes;
    let mut next = |name: &str| {
        let place = COLUMNS
            .iter()
            .position(|column| *column == name)
            .expect("a column");
        assert_eq!(
            rest.len(),
            lengths[place..].iter().sum::<usize>(),
            "{name} comes next"
        );
        let (column, others) = rest.split_at(lengths[place]);
        rest = others;
        Column(column)
    };
    let (mut steps, what, mut game, mut gap, mut length) = (
        next("steps"),
        next("what"),
        next("game"),
        next("gap"),
        next("length"),
    );
    let (mut item, mut wait, mut whom, mut sums) =
        (next("item"), next("wait"), next("whom"), next("sums"));
    let (mut games, mut last, mut enter, mut n_rounds) =
        (next("games"), next("last"), next("enter"), next("rounds"));

    let mut first_rounds = Vec::new();
    let mut first = 0;
    while !games.0.is_empty() {
        games.signed();
        first_rounds.push(first);
        first += games.next() as usize;
        games.signed();
    }
    let mut rounds = Vec::new();
    let mut at = 0;
    while !last.0.is_empty() {
        at += enter.signed();
        rounds.push((last.next() as u32, at as u64));
        n_rounds.next();
    }
    let mut whats = what.0.iter();
    let mut lanes = Vec::new();
    while !steps.0.is_empty() {
        let (mut end, mut in_game, mut round) = (0, 0, 0);
        let lane = (0..steps.next()).map(|_| {
            let bits = *whats.next().expect("as many as steps");
            let mut step = ReadStep {
                what: bits & 0x0f,
                claimed: bits & 0x10 != 0,
                whom: NOBODY,
                ..ReadStep::default()
            };
            if bits & 0x40 != 0 {
                in_game += game.next() as usize;
                round = 0;
            }
            step.begin = end + gap.next();
            let of_round = (7..=9).contains(&step.what) && !merged;
            if of_round {
                let (last, enter) = rounds[first_rounds[in_game] + round];
                round += 1;
                step.end = enter
                    .max(step.begin)
                    .checked_add_signed(length.signed())
                    .expect("a time");
                step.wait = enter.clamp(step.begin, step.end) - step.begin;
                step.whom = last;
            } else {
                step.end = step.begin + length.next();
            }
            end = step.end;
            if bits & 0x20 != 0 {
                step.wait = wait.next();
                step.whom = whom.next() as u32;
            }
            match step.what {
                11 => {
                    step.counts = std::array::from_fn(|_| sums.next());
                    step.times = std::array::from_fn(|_| sums.next());
                }
                3..=10 => step.item = item.next() as u32,
                _ => {}
            }
            step
        });
        lanes.push(lane.collect());
    }
    for column in [game, gap, length, item, wait, whom, sums, enter, n_rounds] {
        assert!(column.0.is_empty(), "something is left over");
    }
    assert_eq!(whats.len(), 0);
    Decoded { lanes }
}
