//! A trace for the viewer at ui.perfetto.dev: a track a rank with a slice a record, a counter of the
//! claimed digits, and flows from the claim that won a digit to those that lost it.
//!
//! Packets are in order of time, which the format does not ask for, and each is written as soon as it
//! is known.

use std::io::{self, Write};

use super::contest::Contest;
use super::merge::{Edge, Edges, Span};
use super::packets::{self, Packets};
use crate::trace::RunInfo;

/// Writes games of digits `1..=n_digits`, with a rank on each of `hosts`, under a title.
pub(super) fn write(
    title: String,
    hosts: &[String],
    n_digits: u32,
    spans: &mut impl Iterator<Item = Span>,
    out: &mut impl Write,
) -> io::Result<()> {
    let mut trace = Packets::new(out);
    trace.write(&packets::names())?;
    trace.write(&packets::run_track(title))?;
    trace.write(&packets::counter_track())?;
    for (rank, host) in (0..).zip(hosts) {
        trace.write(&packets::rank_track(rank, host))?;
    }
    let mut contest = Contest::new(n_digits);
    for edge in Edges::new(hosts.len(), spans) {
        match edge {
            Edge::Begin(span) => {
                let flow = contest.begin(&span);
                trace.write(&packets::begin(&span, flow))?;
            }
            Edge::End(span) => {
                trace.write(&packets::end(&span))?;
                if let Some(n_claimed) = contest.end(&span) {
                    trace.write(&packets::claimed(span.end_ns, n_claimed))?;
                }
            }
        }
    }
    Ok(())
}

/// What a run is called.
pub(super) fn title(run: &RunInfo) -> String {
    let version = run.version.name();
    match &run.claim_with {
        Some(method) => format!("{version} by {method}, {}", run.mpi_library),
        None => format!("{version}, {}", run.mpi_library),
    }
}

#[cfg(test)]
mod tests {
    use super::super::proto::{EventType, PACKET_TAG, TracePacket};
    use super::super::tests::{record, spans};
    use super::*;
    use crate::trace::{Kind, Outcome};
    use prost::Message;

    #[derive(Clone, PartialEq, Message)]
    struct Trace {
        #[prost(message, repeated, tag = "1")]
        packet: Vec<TracePacket>,
    }

    #[test]
    fn begins_ends_counts_and_flows_are_written_in_order_of_time() {
        assert_eq!(PACKET_TAG, 1);
        let ranks = vec![
            vec![
                record((Kind::Start, Outcome::None, 0, 100, 110, 0)),
                record((Kind::Claim, Outcome::Won, 3, 120, 150, 4)),
            ],
            vec![
                record((Kind::Start, Outcome::None, 0, 105, 110, 0)),
                record((Kind::Claim, Outcome::Lost, 3, 130, 140, 4)),
                record((Kind::Finish, Outcome::None, 0, 140, 140, 1)),
            ],
        ];
        let mut out = Vec::new();
        let hosts = ["node1".into(), "node2".into()];
        let mut spans = spans(ranks);
        write("one-sided".into(), &hosts, 9, &mut spans, &mut out).unwrap();
        let packets = Trace::decode(out.as_slice()).unwrap().packet;
        let names: Vec<_> = packets
            .iter()
            .filter_map(|packet| packet.track_descriptor.as_ref()?.name.as_deref())
            .collect();
        let ranks = ["rank 0 (node1)", "rank 1 (node2)"];
        assert_eq!(names, ["one-sided", "claimed digits", ranks[0], ranks[1]]);

        let (begin, end) = (EventType::SliceBegin, EventType::SliceEnd);
        let events: Vec<_> = packets
            .iter()
            .filter_map(|packet| {
                let event = packet.track_event.as_ref()?;
                let time = packet.timestamp?;
                let flow = event.flow_ids.first().copied();
                let value = event.counter_value.map(|value| value as u64);
                Some((time, event.r#type(), event.track_uuid?, value.or(flow)))
            })
            .collect();
        let expected = [
            (0, begin, 3, None),
            (5, begin, 4, None),
            (10, end, 3, None),
            (10, EventType::Counter, 2, Some(0)),
            (10, end, 4, None),
            (20, begin, 3, Some(3)),
            (30, begin, 4, Some(3)),
            (40, end, 4, None),
            (40, begin, 4, None),
            (40, end, 4, None),
            (50, end, 3, None),
            (50, EventType::Counter, 2, Some(1)),
        ];
        assert_eq!(events, expected);
    }
}
