//! The examples of docs/your-own-worker.md, as they stand there.

use std::time::Duration;

use moorline_sim::{Job, Made, simulate};

// The first one.

#[test]
fn my_worker_keeps_every_promise() {
    let resized =
        simulate(|job| Made::after(Duration::from_secs(2), job.payload().to_ascii_uppercase()));
    let run =
        resized.tasks(["one", "two", "three"]).settings(|my| my.lost_after = 30_000_000_000).run();
    run.unwrap_or_else(|unkept| panic!("{unkept}"));
}

// The second one.

#[test]
fn what_fails_twice_is_tried_a_third_time() {
    let flaky = |job: &Job<'_>| match job.attempt() {
        1 | 2 => Made::failed(Duration::from_millis(50), true),
        _ => Made::at_once("done"),
    };
    simulate(flaky)
        .settings(|my| my.lost_cap = 1_000)
        .retries(20)
        .seeds(0..100)
        .check(|ended| match ended.iter().find(|task| task.result.is_none()) {
            Some(task) => Err(format!("task {} has no result", task.task)),
            None => Ok(()),
        })
        .run()
        .unwrap_or_else(|unkept| panic!("{unkept}"));
}

#[test]
fn the_examples_of_the_documentation_are_those_of_this_file() {
    let plain = |text: &str| text.split_whitespace().collect::<String>().replace(",)", ")");
    let (here, document) =
        (include_str!("simulate.rs"), include_str!("../../docs/your-own-worker.md"));
    let examples: Vec<&str> = document
        .split("```rust\n")
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap_or(""))
        .collect();
    assert_eq!(examples.len(), 2);
    for example in examples {
        let test = example.split_once("#[test]").expect("it is a test").1;
        assert!(plain(here).contains(&plain(test)), "{example}");
    }
}
