//! The layer of `tracing` that takes record events to a file.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::thread;

use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

use super::event::TARGET;
use super::file::WRITE_OUT_EVERY;
use super::record::RECORD_BYTES;
use super::recorder::Recorder;

/// Takes events of the target `TARGET` to a [`Recorder`], once there is one, and no others.
///
/// Layers for people beside it need a filter that leaves `TARGET` out, or they print every record.
#[derive(Debug, Clone, Default)]
pub struct RecordLayer {
    recorder: Arc<OnceLock<Recorder>>,
}

impl RecordLayer {
    /// A layer without a recorder: events are lost until [`start`](RecordLayer::start).
    pub fn new() -> Self {
        Self::default()
    }

    /// Records from now on, by all clones of this layer. A thread copies the records to their file every
    /// [`WRITE_OUT_EVERY`], where that cannot be mapped.
    ///
    /// # Errors
    /// The recorder, where there is one already.
    pub fn start(&self, recorder: Recorder) -> Result<&Recorder, Recorder> {
        self.recorder.set(recorder)?;
        let recorder = self.recorder.get_or_init(|| unreachable!("just set"));
        if recorder.unmapped().is_some() {
            let shared = self.recorder.clone();
            let started = thread::Builder::new().spawn(move || write_out(&shared));
            if let Err(error) = started {
                tracing::warn!("records are written at the end only: no thread for them: {error}");
            }
        }
        Ok(recorder)
    }

    /// The recorder, once there is one.
    pub fn recorder(&self) -> Option<&Recorder> {
        self.recorder.get()
    }
}

/// Writes records out until the recorder is closed. What the system refuses meanwhile it refuses at the end too,
/// and that is reported then.
fn write_out(recorder: &OnceLock<Recorder>) {
    while let Some(recorder) = recorder.get().filter(|recorder| !recorder.is_closed()) {
        let _ = recorder.write_out();
        thread::sleep(WRITE_OUT_EVERY);
    }
}

impl<S: Subscriber> Layer<S> for RecordLayer {
    #[inline]
    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        if event.metadata().target() != TARGET {
            return;
        }
        if let Some(recorder) = self.recorder.get() {
            event.record(&mut Taker(recorder));
        }
    }
}

/// Takes the field of a record event.
struct Taker<'a>(&'a Recorder);

impl Visit for Taker<'_> {
    #[inline]
    fn record_bytes(&mut self, _field: &Field, bytes: &[u8]) {
        let Ok(bytes) = <&[u8; RECORD_BYTES]>::try_from(bytes) else {
            return;
        };
        let word =
            |index: usize| u64::from_le_bytes(bytes[8 * index..][..8].try_into().expect("8 bytes"));
        self.0.push([word(0), word(1), word(2), word(3)]);
    }

    /// No record has such a field.
    fn record_debug(&mut self, _field: &Field, _value: &dyn fmt::Debug) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::record::{Kind, Outcome, Record};
    use crate::trace::{End, Header, event};
    use tracing_subscriber::prelude::*;

    #[test]
    fn record_events_are_recorded_and_no_others() {
        let folder = tempfile::tempdir().unwrap();
        let header = Header {
            run_id: 1,
            rank: 0,
            n_ranks: 1,
            capacity: 10,
            dropped: 0,
            recorded: None,
        };
        let path = folder.path().join("rank-0.records");
        let layer = RecordLayer::new();
        let record = Record {
            kind: Kind::Claim,
            outcome: Outcome::Won,
            game: 3,
            item: 9,
            begin_ns: 100,
            end_ns: 140,
            word: 0x1ff,
        };
        let later = Record {
            begin_ns: 140,
            end_ns: 141,
            ..record
        };
        let subscriber = tracing_subscriber::registry().with(layer.clone());
        tracing::subscriber::with_default(subscriber, || {
            event::record(&record); // lost: there is no recorder yet
            let recorder = Recorder::create(&path, &header).unwrap();
            let recorder = layer.start(recorder).unwrap();
            event::record(&record);
            tracing::error!(
                record = &record.to_bytes()[..],
                "for people, not for the trace"
            );
            tracing::trace!(target: TARGET, record = &[0u8; 31][..], "too short");
            tracing::trace!(target: TARGET, a = 1u64, b = "no bytes");
            event::record(&later);
            assert_eq!(recorder.close().unwrap(), 2);
        });
        let records = crate::trace::reader::read_all(&path);
        assert_eq!(records, (vec![record, later], End::Closed));
    }
}
