//! The game in the words of the original, each line whole.
//!
//! Launchers merge the output of ranks by chunks, not by lines, so lines of ranks that print at once
//! run into each other. Here only rank 0 prints: the others send it what happened, point to point,
//! and it prints what has arrived whenever it guesses itself, and the rest when it has finished. That
//! is no collective, but it is traffic: a watched game is not one to measure.

use std::io::Write;

use super::observer::Observer;
use super::play::Tally;
use super::{Error, Result};
use crate::rma::Comm;

/// Tag of announcements on the game's communicator.
const TAG: i32 = 1;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Event {
    Guessed { digit: u64, guess: u64, points: u64 },
    Scored { guess: u64 },
    Finished { points: u64, guesses: u64 },
}

/// An event and the rank that it happened on, as it is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Announcement {
    rank: u64,
    event: Event,
}

impl Announcement {
    const N_BYTES: usize = 40;

    fn encode(self) -> [u8; Self::N_BYTES] {
        let [kind, a, b, c] = match self.event {
            Event::Guessed {
                digit,
                guess,
                points,
            } => [0, digit, guess, points],
            Event::Scored { guess } => [1, guess, 0, 0],
            Event::Finished { points, guesses } => [2, points, guesses, 0],
        };
        let mut bytes = [0; Self::N_BYTES];
        for (chunk, number) in bytes.chunks_exact_mut(8).zip([kind, self.rank, a, b, c]) {
            chunk.copy_from_slice(&number.to_le_bytes());
        }
        bytes
    }

    fn decode(bytes: &[u8; Self::N_BYTES]) -> Self {
        let mut numbers = [0u64; 5];
        for (number, chunk) in numbers.iter_mut().zip(bytes.chunks_exact(8)) {
            *number = u64::from_le_bytes(chunk.try_into().expect("chunks have 8 bytes"));
        }
        let [kind, rank, a, b, c] = numbers;
        let event = match kind {
            0 => Event::Guessed {
                digit: a,
                guess: b,
                points: c,
            },
            1 => Event::Scored { guess: a },
            _ => Event::Finished {
                points: a,
                guesses: b,
            },
        };
        Announcement { rank, event }
    }

    /// The original's words, its spelling included.
    fn line(self) -> String {
        let rank = self.rank;
        match self.event {
            Event::Guessed {
                digit,
                guess,
                points,
            } => {
                format!("rank {rank} guessed {digit} on guess {guess}; has {points} points\n")
            }
            Event::Scored { guess } => format!("rank{rank} guess{guess} scores!\n"),
            Event::Finished { points, guesses } => {
                format!("rank {rank} got {points} points with {guesses} guesses\n")
            }
        }
    }
}

/// Announces every guess and score of every rank, through rank 0.
pub struct Announcer<'comm, 'mpi> {
    comm: &'comm Comm<'mpi>,
    output: Box<dyn Write>,
    /// On rank 0: how many other ranks have not finished this game yet.
    n_playing: i32,
}

impl<'comm, 'mpi> Announcer<'comm, 'mpi> {
    /// An announcer that prints to `output` on rank 0.
    pub fn new(comm: &'comm Comm<'mpi>, output: Box<dyn Write>) -> Self {
        Announcer {
            comm,
            output,
            n_playing: comm.size() - 1,
        }
    }

    fn announce(&mut self, event: Event) -> Result<()> {
        let announcement = Announcement {
            rank: u64::from(self.comm.rank().unsigned_abs()),
            event,
        };
        if self.comm.rank() != 0 {
            return Ok(self.comm.send(&announcement.encode(), 0, TAG)?);
        }
        self.print(announcement)?;
        let mut bytes = [0; Announcement::N_BYTES];
        while self.comm.receive_if_there(&mut bytes, TAG)? {
            self.print_received(&bytes)?;
        }
        Ok(())
    }

    fn print_received(&mut self, bytes: &[u8; Announcement::N_BYTES]) -> Result<()> {
        let announcement = Announcement::decode(bytes);
        if matches!(announcement.event, Event::Finished { .. }) {
            self.n_playing -= 1;
        }
        self.print(announcement)
    }

    fn print(&mut self, announcement: Announcement) -> Result<()> {
        self.output
            .write_all(announcement.line().as_bytes())
            .map_err(Error::Output)
    }
}

impl Observer for Announcer<'_, '_> {
    const WATCHES: bool = true;
    const RECORDS: bool = false;

    fn guessed(&mut self, digit: u32, guess: u64, points: u64) -> Result<()> {
        self.announce(Event::Guessed {
            digit: u64::from(digit),
            guess,
            points,
        })
    }

    fn scored(&mut self, guess: u64) -> Result<()> {
        self.announce(Event::Scored { guess })
    }

    fn finished(&mut self, tally: &Tally, _begin_ns: u64, _end_ns: u64) -> Result<()> {
        self.announce(Event::Finished {
            points: tally.points(),
            guesses: tally.guesses,
        })?;
        if self.comm.rank() == 0 {
            let mut bytes = [0; Announcement::N_BYTES];
            while self.n_playing > 0 {
                self.comm.receive(&mut bytes, TAG)?;
                self.print_received(&bytes)?;
            }
            self.output.flush()?;
            self.n_playing = self.comm.size() - 1;
        }
        Ok(())
    }

    /// Rank 0 waits for the last words of all, so all say them.
    fn left(&mut self, tally: &Tally) -> Result<()> {
        self.finished(tally, 0, 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sent_arrives_and_reads_as_in_the_original() {
        let cases = [
            (
                Event::Guessed {
                    digit: 3,
                    guess: 1,
                    points: 0,
                },
                "rank 0 guessed 3 on guess 1; has 0 points\n",
            ),
            (Event::Scored { guess: 5 }, "rank0 guess5 scores!\n"),
            (
                Event::Finished {
                    points: 3,
                    guesses: 8,
                },
                "rank 0 got 3 points with 8 guesses\n",
            ),
        ];
        for (event, line) in cases {
            let announcement = Announcement { rank: 0, event };
            assert_eq!(Announcement::decode(&announcement.encode()), announcement);
            assert_eq!(announcement.line(), line);
        }
    }
}
