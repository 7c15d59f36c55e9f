use super::Story;
use crate::shrink::shrink;
use crate::{Plan, Recording, Run, Sabotage};

fn recorded(plan: Plan) -> Recording {
    Run::new(plan).recorded(1_000_000).go().recording.expect("it was asked for")
}

#[test]
fn a_run_that_kept_every_promise_has_no_story() {
    assert_eq!(Story::new(&recorded(Plan::new(3))), None);
}

#[test]
fn a_story_is_short_in_order_and_ends_before_the_violation() {
    let mut told = 0;
    for sabotage in Sabotage::ALL {
        for seed in 0..2 {
            let plan = Plan { sabotage: Some(sabotage), ..Plan::new(seed) };
            let Some(story) = Story::new(&recorded(plan)) else { continue };
            told += 1;
            assert!(story.sentences.len() <= 20, "{story}");
            assert!(story.sentences.is_sorted_by_key(|sentence| sentence.record), "{story}");
            assert!(story.sentences.iter().all(|sentence| sentence.at <= story.at), "{story}");
            assert!(story.sentences.iter().all(|sentence| !sentence.words.is_empty()), "{story}");
        }
    }
    assert!(told > 20, "{told}");
}

#[test]
fn the_story_of_a_small_plan_tells_what_happened_to_its_task() {
    let plan = Plan { sabotage: Some(Sabotage::AnswersLie), ..Plan::new(42) };
    let shrunk = shrink(&plan, |replays| replays < 5_000).expect("a promise is broken");
    let story = Story::new(&recorded(shrunk.plan)).expect("a promise is broken").to_string();
    let mut rest = story.as_str();
    for words in [
        "the coordinator says assign of t",
        "it arrives at",
        "w",
        "starts t",
        "ends t",
        "says result of t",
        "the coordinator says",
        "settled of t",
    ] {
        let Some(at) = rest.find(words) else { panic!("{words} is not in what follows:\n{story}") };
        rest = &rest[at + words.len()..];
    }
    assert!(!story.contains("heartbeat"), "{story}");
}
