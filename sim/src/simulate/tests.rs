use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use moorline_link::{First, Jitter};

use super::{Ended, Job, Made, simulate};

fn upper(job: &Job<'_>) -> Made {
    let lasts = Duration::from_millis(100 + job.draw(5_000));
    Made::after(lasts, job.payload().to_ascii_uppercase())
}

#[test]
fn every_task_has_the_result_that_its_own_handler_made() {
    let words: Vec<String> = (0..15).map(|number| format!("word {number}")).collect();
    let wanted = words.clone();
    let report = simulate(upper)
        .tasks(words)
        .seeds(0..150)
        .check(move |ended| {
            for (ended, word) in ended.iter().zip(&wanted) {
                // A task that is lost too often is dead, and has none.
                if let Some(result) = &ended.result
                    && *result != word.to_ascii_uppercase().into_bytes()
                {
                    return Err(format!("{ended:?}"));
                }
            }
            Ok(())
        })
        .run()
        .unwrap_or_else(|unkept| panic!("\n{unkept}"));
    assert_eq!((report.worlds, report.tasks), (150, 150 * 15));
    assert!(report.crashes > 20, "things went wrong: {}", report.crashes);
}

#[test]
fn settings_retries_and_slots_are_those_that_were_set() {
    fn set(settings: &mut crate::Settings) {
        settings.lost_after = 30_000_000_000;
        settings.beat = 1_000_000_000;
        settings.initial_delay = 500_000_000;
        settings.max_delay = 20_000_000_000;
        settings.jitter = Jitter::FULL;
        settings.first = First::Window;
        settings.lost_cap = 1_000;
    }
    // The first two attempts of every task fail.
    let handler = |job: &Job<'_>| match job.attempt() {
        1 | 2 => Made::failed(Duration::from_millis(10), true),
        _ => upper(job),
    };
    simulate(handler)
        .settings(set)
        .retries(20)
        .slots(2)
        .workers(2)
        .seeds(0..60)
        .check(|ended| match ended.iter().find(|ended| ended.result.is_none()) {
            Some(ended) => Err(format!("{ended:?}")),
            None => Ok(()),
        })
        .run()
        .unwrap_or_else(|unkept| panic!("\n{unkept}"));
}

#[test]
fn the_first_world_that_a_check_refuses_is_named_with_its_scenario() {
    let is_refused = |ended: &[Ended]| match ended.iter().filter(|ended| ended.attempts > 1).count()
    {
        0 => Ok(()),
        again => Err(format!("{again} tasks ran again")),
    };
    let unkept = simulate(upper).seeds(0..200).check(is_refused).run().unwrap_err();
    assert!(unkept.words().ends_with(" tasks ran again"), "{}", unkept.words());
    let seed = unkept.seed();
    let again = simulate(upper).seeds(seed..seed + 1).check(is_refused).run().unwrap_err();
    assert_eq!(again, unkept, "it is repeated by its seed");
    assert!(simulate(upper).seeds(0..seed).check(is_refused).run().is_ok(), "it was the first");
    let plan = crate::scenario::parse(&unkept.scenario()).expect("it is a scenario");
    assert_eq!((plan.seed, plan.tasks.len()), (seed, 10));
    assert!(unkept.to_string().ends_with(&format!("again: .seeds({seed}..{})", seed + 1)));
}

#[test]
fn a_handler_that_panics_is_a_failure_with_its_words() {
    let unkept =
        simulate(|job| if job.task() == 7 { panic!("no luck") } else { Made::at_once("x") })
            .seeds(0..3)
            .run()
            .unwrap_err();
    assert!(unkept.words().contains("no luck"), "{unkept}");
    let story = unkept.story().expect("a promise is broken");
    assert!(unkept.to_string().starts_with(&story.to_string()), "{unkept}");
    assert!(unkept.html().contains("no luck"));
}

#[test]
fn decisions_of_a_job_are_the_same_for_the_same_attempt() {
    let seen: &'static Mutex<BTreeMap<(usize, u32, u64), u64>> =
        Box::leak(Box::new(Mutex::new(BTreeMap::new())));
    let handler = move |job: &Job<'_>| {
        let (first, second) = (job.draw(u64::MAX), job.draw(u64::MAX));
        let before = seen.lock().unwrap().insert((job.task(), job.attempt(), first), second);
        assert!(before.is_none_or(|before| before == second));
        Made::at_once("x")
    };
    simulate(handler).seeds(5..6).run().unwrap_or_else(|unkept| panic!("\n{unkept}"));
    assert!(seen.lock().unwrap().len() >= 10);
}
