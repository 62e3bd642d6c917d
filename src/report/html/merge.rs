//! Many records as few: neighbours of a rank that lie within one piece of time become one step, which
//! knows how many they were and how long each state lasted. No time is lost and none moves to another
//! piece.

use super::lanes::{Lane, Lanes, NOBODY, Round, Step, Sum, What};

/// How long the first pieces are: a few steps each.
pub(super) fn first_cell_ns(lanes: &Lanes) -> u64 {
    let per_lane = (lanes.n_steps / lanes.lanes.len().max(1)).max(1) as u64;
    let mean_ns = (lanes.span_ns / per_lane).max(1);
    mean_ns.checked_next_power_of_two().unwrap_or(mean_ns)
}

/// Merges the steps of a lane. Done for pieces of a length, it can be done again for twice the length.
pub(super) fn lane(lane: &mut Lane, cell_ns: u64) {
    let steps = std::mem::take(&mut lane.steps);
    let sums = std::mem::take(&mut lane.sums);
    let sum_of = |step: &Step| match step.what {
        What::Several => sums[step.item as usize],
        _ => step.sum(),
    };
    for step in steps {
        match lane.steps.last_mut() {
            Some(last) if in_one_cell(last, &step, cell_ns) => {
                if last.what != What::Several || last.item as usize + 1 != lane.sums.len() {
                    lane.sums.push(last.sum());
                }
                let sum = lane.sums.last_mut().expect("there is one");
                add(sum, &sum_of(&step));
                if step.wait_ns > last.wait_ns {
                    last.whom = step.whom;
                }
                last.what = What::Several;
                last.item = (lane.sums.len() - 1) as u32;
                last.end_ns = step.end_ns;
                last.wait_ns += step.wait_ns;
                last.game = step.game;
                last.claimed = false;
                if last.wait_ns == 0 {
                    last.whom = NOBODY;
                }
            }
            _ => {
                let mut step = step;
                if step.what == What::Several {
                    lane.sums.push(sum_of(&step));
                    step.item = (lane.sums.len() - 1) as u32;
                }
                lane.steps.push(step);
            }
        }
    }
    lane.steps.shrink_to_fit();
}

fn in_one_cell(a: &Step, b: &Step, cell_ns: u64) -> bool {
    a.begin_ns / cell_ns == b.end_ns.saturating_sub(1).max(a.begin_ns) / cell_ns
}

fn add(sum: &mut Sum, other: &Sum) {
    sum.n_records += other.n_records;
    sum.n_thinks += other.n_thinks;
    sum.n_operations += other.n_operations;
    sum.n_guesses += other.n_guesses;
    sum.n_claimed += other.n_claimed;
    sum.thinking_ns += other.thinking_ns;
    sum.operation_ns += other.operation_ns;
    sum.other_ns += other.other_ns;
}

/// Merges rounds: of those within a piece of time the one that was waited for longest speaks for all.
pub(super) fn rounds(rounds: &mut Vec<Round>, cell_ns: u64) {
    let mut longest_ns = 0;
    rounds.dedup_by(|next, kept| {
        if next.enter_ns / cell_ns != kept.enter_ns / cell_ns {
            longest_ns = 0;
            return false;
        }
        longest_ns = longest_ns.max(kept.wait_ns / u64::from(kept.n));
        if next.wait_ns > longest_ns {
            kept.last = next.last;
            longest_ns = next.wait_ns;
        }
        kept.enter_ns = kept.enter_ns.max(next.enter_ns);
        kept.wait_ns = kept.wait_ns.saturating_add(next.wait_ns);
        kept.n += next.n;
        true
    });
}
