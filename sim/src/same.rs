//! Whether a run is the same when it is run again, and where it is not.

use crate::{Plan, Recording, Run, RunOutcome};

/// Records that are kept of a run that is compared: of longer ones the last.
const KEPT: usize = 2_000_000;

/// Records before the difference that are shown.
const SHOWN: usize = 12;

/// Two runs of one plan that were not the same.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Difference {
    /// The seed of the plan.
    pub seed: u64,
    /// The number of the first record that differs; none if the records are the same and what the runs
    /// came to is not.
    pub record: Option<u32>,
    /// What both did before that, a line each.
    pub before: Vec<String>,
    /// What the first run did there, and what led to it, the latest first; nothing if it had ended.
    pub one: Vec<String>,
    /// The same for the second run.
    pub other: Vec<String>,
}

/// Runs a plan twice. The number of everything that happened, or where the two part.
///
/// ```
/// use moorline_sim::{Plan, same};
///
/// assert_eq!(same(&Plan::new(7)), Ok(moorline_sim::run(7).unwrap().hash));
/// ```
///
/// # Errors
/// The first record that differs, with what led there.
pub fn same(plan: &Plan) -> Result<u64, Box<Difference>> {
    let run = || Run::new(plan.clone()).go();
    let (one, other) = (run(), run());
    if one.result == other.result {
        return Ok(one.result.map_or(0, |report| report.hash));
    }
    let recorded = || Run::new(plan.clone()).recorded(KEPT).go();
    Err(Box::new(difference(plan.seed, &recorded(), &recorded())))
}

/// Where two recorded runs part.
fn difference(seed: u64, one: &RunOutcome, other: &RunOutcome) -> Difference {
    let none = || Difference {
        seed,
        record: None,
        before: Vec::new(),
        one: vec![format!("{:?}", one.result)],
        other: vec![format!("{:?}", other.result)],
    };
    let (Some(first), Some(second)) = (&one.recording, &other.recording) else { return none() };
    let from = |recording: &Recording| recording.iter().next().map_or(1, |(number, _)| number);
    let begin = from(first).max(from(second));
    let end = first.last().max(second.last());
    let differs = |number: &u32| {
        first.get(*number) != second.get(*number) || first.words(*number) != second.words(*number)
    };
    let Some(record) = (begin..=end).find(differs) else { return none() };
    let before = (record.saturating_sub(SHOWN as u32).max(begin)..record)
        .filter_map(|number| line(first, number))
        .collect();
    let led = |recording: &Recording| {
        let causes = recording.causes(record).take(SHOWN);
        causes.filter_map(|(number, _)| line(recording, number)).collect()
    };
    Difference { seed, record: Some(record), before, one: led(first), other: led(second) }
}

/// A record as a line.
fn line(recording: &Recording, number: u32) -> Option<String> {
    let (record, words) = (recording.get(number)?, recording.words(number)?);
    Some(format!("#{number} {}  {words}", crate::report::seconds(record.at)))
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::{difference, same};
    use crate::{Decide, Draws, Plan, Run, Site};

    /// Decides as the seed says, but for one latency late in the run.
    #[derive(Debug)]
    struct Other {
        draws: Draws,
        left: Cell<u64>,
    }

    impl Decide for Other {
        fn draw(&self, site: Site, entity: u64, k: u64, bound: u64) -> u64 {
            let value = self.draws.draw(site, entity, k, bound);
            if site != Site::Latency || bound < 2 {
                return value;
            }
            self.left.set(self.left.get().wrapping_sub(1));
            if self.left.get() == 0 { (value + 1) % bound } else { value }
        }
    }

    #[test]
    fn a_plan_is_run_in_the_same_way_each_time() {
        for seed in 0..20 {
            let report = crate::run(seed).unwrap_or_else(|failure| panic!("\n{failure}"));
            assert_eq!(same(&Plan::new(seed)), Ok(report.hash));
        }
    }

    #[test]
    fn the_first_record_that_differs_is_found_with_what_led_to_it() {
        let run = |left| {
            let decisions = Other { draws: Draws::new(3), left: Cell::new(left) };
            Run::new(Plan::new(3)).recorded(1_000_000).decided_by(Box::new(decisions)).go()
        };
        let (one, other) = (run(0), run(40));
        assert_ne!(one.result, other.result);
        let found = difference(3, &one, &other);
        let record = found.record.expect("it is found");
        let (first, second) = (one.recording.unwrap(), other.recording.unwrap());
        assert!(record > 40, "it is not at the beginning: {record}");
        assert!((1..record).all(|number| first.get(number) == second.get(number)));
        assert_ne!(
            (first.get(record), first.words(record)),
            (second.get(record), second.words(record))
        );
        assert!(!found.before.is_empty() && found.before.len() <= super::SHOWN);
        for led in [&found.one, &found.other] {
            assert!(led[0].starts_with(&format!("#{record} ")), "{led:?}");
        }
    }

    #[test]
    fn runs_that_do_the_same_and_come_to_something_else_are_told_apart() {
        let one = Run::new(Plan::new(3)).recorded(100).go();
        let found = difference(3, &one, &one);
        assert_eq!(found.record, None);
        assert!(found.one[0].contains("hash"), "{found:?}");
    }
}
