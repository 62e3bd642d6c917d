//! How many games a job plays, so that it takes long enough to measure and no longer.

/// A job should take so much longer than one of a single game, in seconds.
const LONG_ENOUGH_S: f64 = 0.6;
/// Less than that is still good, since the next try may overshoot: seconds.
const GOOD_S: f64 = 0.3;
/// A job should play no longer than this, in seconds.
const PLAY_S: f64 = 1.0;
/// How much more a job may play than the one before it: the first few games are slower than others.
const MAX_GROWTH: f64 = 50.0;

/// What a trial showed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Trial {
    pub n_games: u64,
    /// Seconds that the job took longer than one of a single game.
    pub beyond_start_s: f64,
    /// Seconds of play, which is without the barriers between games.
    pub play_s: f64,
}

/// How many games to play after `trial`: as many as were tried if that is right.
pub fn next_games(trial: &Trial) -> u64 {
    let &Trial {
        n_games,
        beyond_start_s,
        play_s,
    } = trial;
    let is_long_enough = beyond_start_s >= GOOD_S || play_s >= GOOD_S;
    let is_too_long = beyond_start_s > 2.0 * LONG_ENOUGH_S || play_s > 2.0 * PLAY_S;
    if is_long_enough && (!is_too_long || n_games == 1) {
        return n_games;
    }
    let by_job = LONG_ENOUGH_S / beyond_start_s.max(1e-6);
    let by_play = PLAY_S / play_s.max(1e-9);
    let factor = by_job.min(by_play).min(MAX_GROWTH);
    ((n_games as f64 * factor).round() as u64).max(1)
}

/// The order of `n` contenders in a round: each comes first, and each after each other one, in turn.
pub fn order(n: usize, round: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..n).map(|i| (i + round / 2) % n).collect();
    if round % 2 == 1 {
        order.reverse();
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Games that a job ends up with whose games each take so long.
    fn settles(play_s: f64, between_s: f64) -> (u64, usize) {
        let mut n_games = 1;
        for step in 0..12 {
            let trial = Trial {
                n_games,
                beyond_start_s: (n_games - 1) as f64 * (play_s + between_s),
                play_s: n_games as f64 * play_s,
            };
            let next = next_games(&trial);
            if next == n_games {
                return (n_games, step);
            }
            n_games = next;
        }
        panic!("{play_s} {between_s} does not settle");
    }

    #[test]
    fn jobs_are_sized_by_play_and_barriers() {
        for (play_s, between_s) in [
            (2e-6, 3e-6),
            (30e-6, 50e-6),
            (4e-3, 0.0),
            (0.1, 0.01),
            (1e-5, 0.02),
        ] {
            let (n_games, steps) = settles(play_s, between_s);
            let took = n_games as f64 * (play_s + between_s);
            assert!(
                (0.25..=1.3).contains(&took),
                "{play_s} {between_s}: {n_games} games, {took} s"
            );
            assert!(steps < 8, "{steps} trials");
        }
    }

    #[test]
    fn a_game_that_takes_longer_than_a_job_should_is_played_once() {
        assert_eq!(settles(5.0, 0.0).0, 1);
        let trial = Trial {
            n_games: 50,
            beyond_start_s: 50.0,
            play_s: 40.0,
        };
        assert_eq!(next_games(&trial), 1);
    }

    #[test]
    fn noise_below_the_start_up_does_not_make_a_job_endless() {
        let trial = Trial {
            n_games: 10,
            beyond_start_s: -0.02,
            play_s: 1e-5,
        };
        assert_eq!(next_games(&trial), 500);
    }

    #[test]
    fn every_contender_has_its_turn_at_every_place() {
        for place in 0..3 {
            let mut there: Vec<usize> = (0..6).map(|round| order(3, round)[place]).collect();
            there.sort_unstable();
            assert_eq!(there, [0, 0, 1, 1, 2, 2]);
        }
        assert_ne!(order(4, 0), order(4, 1));
    }
}
