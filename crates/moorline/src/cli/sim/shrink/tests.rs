use std::time::Duration;

use moorline_sim::scenario::Scenario;
use moorline_sim::shrink::{Shrunk, Size};
use moorline_sim::{Failure, Plan, Rule, Violation};

use super::{small, told};

fn shrunk(is_minimal: bool) -> Shrunk {
    let before = Size { workers: 5, tasks: 12, episodes: 9, decisions: 812, lasts: 93_200_000_000 };
    let after = Size { workers: 1, tasks: 1, episodes: 0, decisions: 0, lasts: 5_003_000_000 };
    let violation = Violation::new(Rule::TaskLost, "t3 is acknowledged and not in the store");
    let failure = Failure { seed: 7, at: after.lasts, violation, last: Vec::new() };
    Shrunk { plan: Plan::new(7), failure, before, after, replays: 412, is_minimal }
}

#[test]
fn what_a_search_for_less_comes_to_reads_as_it_was_reviewed() {
    let texts = [true, false]
        .map(|is_minimal| told("seed 7", &shrunk(is_minimal), Duration::from_millis(1_234)));
    insta::assert_snapshot!(texts.join("\n\n"));
}

#[test]
fn a_smaller_scenario_says_where_it_comes_from_and_keeps_what_the_whole_one_said() {
    let shrunk = shrunk(true);
    let of_seed = small(&Scenario::of(Plan::new(7)), "seed 7", &shrunk);
    assert!(
        of_seed.about.starts_with("Shrunk from seed 7. SAFE-3 TaskLost: "),
        "{}",
        of_seed.about
    );
    assert_eq!((of_seed.outcome, &of_seed.plan), (None, &shrunk.plan));
    let whole = Scenario { about: "A night in May.".into(), ..Scenario::of(Plan::new(7)) };
    let of_file = small(&whole, "may.toml", &shrunk);
    assert!(of_file.about.starts_with("A night in May.\nShrunk from may.toml. "));
    assert_eq!(Scenario::parse(&of_file.to_text()).map(|read| read.about), Ok(of_file.about));
}
