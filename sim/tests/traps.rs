//! The traps that a protocol like this one falls into, put back into the real machines one at a time by
//! `--cfg moorline_planted="TRAP-1"`, `-2` or `-3`. Each passes every check of safety in its world: only
//! the search for states from which nothing leads on finds it. Without any of them the worlds hold.
//!
//! 1. What a new session does not name is kept as leased: nobody will ever send it again.
//! 2. What a worker holds is compared by task, not by attempt: it goes on under a number that does not
//!    count any more, and its failure is turned away.
//! 3. What ended between the inventory and its answer is never offered.

use moorline_sim::check::{Bounds, Verdict, check};
use moorline_sim::{run_plan, scenario};

/// Each trap and the smallest world it is in.
const TRAPS: [(&str, bool, &str); 3] = [
    ("TRAP-1", cfg!(moorline_planted = "TRAP-1"), "w1-t1-r1"),
    ("TRAP-2", cfg!(moorline_planted = "TRAP-2"), "w1-t1-b2-e1-f1"),
    ("TRAP-3", cfg!(moorline_planted = "TRAP-3"), "w1-t1-b1"),
];

/// More states than are to be visited in a test where nothing is to be found.
const MOST: u64 = 30_000;

#[test]
fn a_planted_trap_is_found_and_is_not_there_otherwise() {
    let is_any_planted = TRAPS.iter().any(|(_, is_planted, _)| *is_planted);
    for (trap, is_planted, world) in TRAPS {
        // One may be in the world of another as well.
        if is_any_planted && !is_planted {
            continue;
        }
        let bounds: Bounds = world.parse().expect("the letters of a world");
        let checked = check(bounds, &mut |states| is_planted || states < MOST);
        let is_trapped = matches!(checked.verdict, Verdict::Trapped(_));
        assert_eq!(is_trapped, is_planted, "{trap}: {checked}");
        let is_broken = matches!(checked.verdict, Verdict::Broken(_));
        assert!(!is_broken, "{trap}: {checked}");
        if let Verdict::Trapped(way) = checked.verdict {
            // The simulator goes the same way, and sees that what is left is never done.
            let plan = way.plan().unwrap_or_else(|other| panic!("{trap}: {other}\n{way}"));
            let failure = run_plan(plan.clone()).unwrap_err();
            assert!(way.is_shown_by(&failure.violation), "{trap}: {failure}");
            // So it does as a file, as `moorline sim check --out` writes it.
            let read = scenario::parse(&scenario::to_text(&plan));
            let read = read.unwrap_or_else(|errors| panic!("{trap}: {errors:#?}"));
            assert_eq!(run_plan(read), Err(failure), "{trap}");
        }
    }
}
