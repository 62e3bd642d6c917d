//! Records as events of `tracing`.

use rustix::time::{ClockId, clock_gettime};
use tracing::Level;

use super::record::Record;

/// The target of record events, and of nothing else.
///
/// One event a record, at level `TRACE`, with one field `record`: its 32 bytes
/// ([`Record::to_bytes`]). One field and not one for each number, because each costs a call of a
/// subscriber's visitor, and all together as much as the rest of an event.
pub const TARGET: &str = "onesided::record";

/// Emits `record`. Without a subscriber for `TARGET` this costs the look at one static.
#[inline]
pub fn record(record: &Record) {
    tracing::event!(target: TARGET, Level::TRACE, record = &record.to_bytes()[..]);
}

/// The monotonic clock of this host, in nanoseconds (`CLOCK_MONOTONIC`): all processes of a host (and
/// time namespace) read the same one.
#[inline]
pub fn now_ns() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}
