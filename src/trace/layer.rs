//! The layer of `tracing` that takes record events to a file.

use std::fmt;
use std::sync::{Arc, OnceLock};

use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

use super::event::{N_FIELDS, TARGET};
use super::record::words_of;
use super::recorder::Recorder;

/// Takes events of the target [`TARGET`] to a [`Recorder`], once there is one, and no others.
#[derive(Debug, Clone, Default)]
pub struct RecordLayer {
    recorder: Arc<OnceLock<Recorder>>,
}

impl RecordLayer {
    /// A layer without a recorder: events are lost until [`start`](RecordLayer::start).
    pub fn new() -> Self {
        Self::default()
    }

    /// Records from now on, by all clones of this layer. A second recorder is handed back.
    ///
    /// # Errors
    /// The recorder, where there is one already.
    pub fn start(&self, recorder: Recorder) -> Result<&Recorder, Recorder> {
        self.recorder.set(recorder)?;
        Ok(self.recorder.get_or_init(|| unreachable!("just set")))
    }
}

impl<S: Subscriber> Layer<S> for RecordLayer {
    #[inline]
    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        if event.metadata().target() != TARGET {
            return;
        }
        let Some(recorder) = self.recorder.get() else {
            return;
        };
        let mut fields = Fields::default();
        event.record(&mut fields);
        if fields.n_seen == N_FIELDS {
            let [begin_ns, end_ns, what, word, item, game] = fields.values;
            recorder.push(words_of(begin_ns, end_ns, what, word, item, game));
        }
    }
}

/// The fields of a record event, in their order.
#[derive(Default)]
struct Fields {
    values: [u64; N_FIELDS],
    n_seen: usize,
}

impl Visit for Fields {
    #[inline]
    fn record_u64(&mut self, _field: &Field, value: u64) {
        if let Some(slot) = self.values.get_mut(self.n_seen) {
            *slot = value;
        }
        self.n_seen += 1;
    }

    /// No record has such a field: an event with one is none.
    fn record_debug(&mut self, _field: &Field, _value: &dyn fmt::Debug) {
        self.n_seen += N_FIELDS;
    }
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
                begin_ns = 1u64,
                end_ns = 2u64,
                what = 3u64,
                "for people, not for the trace"
            );
            tracing::trace!(target: TARGET, begin_ns = 1u64, "no record: fields are missing");
            tracing::trace!(target: TARGET, a = 1u64, b = "no number", c = 3u64);
            event::record(&later);
            assert_eq!(recorder.close().unwrap(), 2);
        });
        let records = crate::trace::reader::read_all(&path);
        assert_eq!(records, (vec![record, later], End::Closed));
    }
}
