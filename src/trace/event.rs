//! Records as events of `tracing`.

use rustix::time::{ClockId, clock_gettime};
use tracing::Level;

use super::record::{Record, pack_what};

/// The target of record events, and of nothing else.
///
/// One event a record, at level `TRACE`, with these fields, all `u64`: `begin_ns`, `end_ns`, `what`
/// ([`pack_what`]), `word`, `item`, `game`; their meaning is that of [`Record`]. Any `tracing` layer
/// can take them; [`RecordLayer`](super::RecordLayer) takes them to a file.
pub const TARGET: &str = "onesided::record";

/// How many fields a record event has.
pub(super) const N_FIELDS: usize = 6;

/// Emits `record`. Without a subscriber for [`TARGET`] this costs the look at one static.
#[inline]
pub fn record(record: &Record) {
    // In this order: the layer takes fields by their place.
    tracing::event!(
        target: TARGET,
        Level::TRACE,
        begin_ns = record.begin_ns,
        end_ns = record.end_ns,
        what = pack_what(record.kind, record.outcome),
        word = record.word,
        item = u64::from(record.item),
        game = u64::from(record.game),
    );
}

/// The monotonic clock of this host, in nanoseconds (`CLOCK_MONOTONIC`): all processes of a host (and
/// time namespace) read the same one.
#[inline]
pub fn now_ns() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}
