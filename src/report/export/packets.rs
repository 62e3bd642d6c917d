//! The packets of an export: one sequence, whose names are interned in its first packet.

use std::io::{self, Write};

use prost::Message;

use super::merge::Span;
use super::proto::{
    ChildTracksOrdering, CounterDescriptor, DebugAnnotation, EventType, InternedData,
    InternedString, PACKET_TAG, SEQ_INCREMENTAL_STATE_CLEARED, SEQ_NEEDS_INCREMENTAL_STATE,
    TracePacket, TrackDescriptor, TrackEvent,
};
use crate::trace::{Kind, Outcome};

/// A sequence is what shares interned names; here it is the whole trace.
const SEQUENCE: u32 = 1;

/// The track above all others. Track 0 has a meaning in the format.
const RUN_TRACK: u64 = 1;
const COUNTER_TRACK: u64 = 2;
const RANK_0_TRACK: u64 = 3;

/// Interned names of annotations.
const DIGIT: u64 = 1;
const OUTCOME: u64 = 2;
const GAME: u64 = 3;

/// Field 1 of a message, length-delimited.
const PACKET_KEY: u8 = (PACKET_TAG << 3) as u8 | 2;

/// Writes packets, each as soon as it is there.
pub(super) struct Packets<'out, W> {
    out: &'out mut W,
    /// Scratch.
    bytes: Vec<u8>,
}

impl<'out, W: Write> Packets<'out, W> {
    pub(super) fn new(out: &'out mut W) -> Self {
        Packets {
            out,
            bytes: Vec::new(),
        }
    }

    pub(super) fn write(&mut self, packet: &TracePacket) -> io::Result<()> {
        self.bytes.clear();
        self.bytes.push(PACKET_KEY);
        packet.encode_length_delimited(&mut self.bytes)?;
        self.out.write_all(&self.bytes)
    }
}

/// The first packet: every name that others refer to by its number.
pub(super) fn names() -> TracePacket {
    let interned = |(iid, name): (u64, &str)| InternedString {
        iid: Some(iid),
        name: Some(name.into()),
    };
    let kinds = Kind::ALL.map(|kind| interned((kind as u64, kind.name())));
    let annotations = [(DIGIT, "digit"), (OUTCOME, "outcome"), (GAME, "game")];
    // Number 0 is nothing's, and that is the outcome which no annotation has.
    let outcomes = Outcome::ALL
        .into_iter()
        .filter(|&outcome| outcome != Outcome::None)
        .map(|outcome| interned((outcome as u64, outcome.name())));
    TracePacket {
        trusted_packet_sequence_id: Some(SEQUENCE),
        sequence_flags: Some(SEQ_INCREMENTAL_STATE_CLEARED),
        first_packet_on_sequence: Some(true),
        interned_data: Some(InternedData {
            event_names: kinds.into(),
            debug_annotation_names: annotations.map(interned).into(),
            debug_annotation_string_values: outcomes.collect(),
        }),
        ..TracePacket::default()
    }
}

/// The track of the run. All others are under it: the viewer opens a track by itself when it is the
/// only one at the top.
pub(super) fn run_track(name: String) -> TracePacket {
    described(TrackDescriptor {
        uuid: Some(RUN_TRACK),
        name: Some(name),
        child_ordering: Some(ChildTracksOrdering::Explicit.into()),
        ..TrackDescriptor::default()
    })
}

/// The track of the counter, above the ranks.
pub(super) fn counter_track() -> TracePacket {
    described(TrackDescriptor {
        uuid: Some(COUNTER_TRACK),
        name: Some("claimed digits".into()),
        parent_uuid: Some(RUN_TRACK),
        sibling_order_rank: Some(0),
        counter: Some(CounterDescriptor {
            unit_name: Some("digits".into()),
        }),
        ..TrackDescriptor::default()
    })
}

pub(super) fn rank_track(rank: u32, host: &str) -> TracePacket {
    described(TrackDescriptor {
        uuid: Some(RANK_0_TRACK + u64::from(rank)),
        name: Some(format!("rank {rank} ({host})")),
        parent_uuid: Some(RUN_TRACK),
        sibling_order_rank: Some(i32::try_from(rank).unwrap_or(i32::MAX).saturating_add(1)),
        ..TrackDescriptor::default()
    })
}

/// A record begins; `flow` is what it is a step of.
pub(super) fn begin(span: &Span, flow: Option<u64>) -> TracePacket {
    let annotations = match span.record.kind {
        Kind::Claim | Kind::Allreduce => annotations(span),
        Kind::Start | Kind::Think | Kind::Finish => Vec::new(),
    };
    event(
        span.begin_ns,
        TrackEvent {
            r#type: Some(EventType::SliceBegin.into()),
            track_uuid: Some(RANK_0_TRACK + u64::from(span.rank)),
            name_iid: Some(span.record.kind as u64),
            flow_ids: flow.into_iter().collect(),
            debug_annotations: annotations,
            ..TrackEvent::default()
        },
    )
}

pub(super) fn end(span: &Span) -> TracePacket {
    event(
        span.end_ns,
        TrackEvent {
            r#type: Some(EventType::SliceEnd.into()),
            track_uuid: Some(RANK_0_TRACK + u64::from(span.rank)),
            ..TrackEvent::default()
        },
    )
}

pub(super) fn claimed(at_ns: u64, n_claimed: u32) -> TracePacket {
    event(
        at_ns,
        TrackEvent {
            r#type: Some(EventType::Counter.into()),
            track_uuid: Some(COUNTER_TRACK),
            counter_value: Some(n_claimed.into()),
            ..TrackEvent::default()
        },
    )
}

fn annotations(span: &Span) -> Vec<DebugAnnotation> {
    let number = |name, value: u32| DebugAnnotation {
        name_iid: Some(name),
        uint_value: Some(value.into()),
        string_value_iid: None,
    };
    let record = &span.record;
    let outcome = DebugAnnotation {
        name_iid: Some(OUTCOME),
        uint_value: None,
        string_value_iid: Some(record.outcome as u64),
    };
    let game = number(GAME, record.game);
    match record.outcome {
        // It has no guess of its own.
        Outcome::Announced => vec![outcome, game],
        _ => vec![number(DIGIT, record.item), outcome, game],
    }
}

fn described(track: TrackDescriptor) -> TracePacket {
    TracePacket {
        trusted_packet_sequence_id: Some(SEQUENCE),
        track_descriptor: Some(track),
        ..TracePacket::default()
    }
}

fn event(timestamp_ns: u64, event: TrackEvent) -> TracePacket {
    TracePacket {
        timestamp: Some(timestamp_ns),
        trusted_packet_sequence_id: Some(SEQUENCE),
        sequence_flags: Some(SEQ_NEEDS_INCREMENTAL_STATE),
        track_event: Some(event),
        ..TracePacket::default()
    }
}
