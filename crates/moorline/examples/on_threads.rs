//! A worker in a program without any async runtime.
//!
//! ```text
//! cargo run --example on_threads --features threads
//! ```
#![allow(clippy::print_stdout, reason = "this is a program for people")]

mod there;

use std::time::Duration;

use moorline::{Result, Runtime, TaskCtx, Worker};
use there::There;

/// Each attempt has a thread to itself, so it may block.
async fn greet(_ctx: TaskCtx, who: String) -> Result<String> {
    std::thread::sleep(Duration::from_millis(10));
    Ok(format!("hello {who}, from a thread"))
}

fn main() -> Result<()> {
    let there = There::start()?;
    futures::executor::block_on(async {
        let worker = Worker::builder(there.url())
            .name("on-threads")
            .runtime(Runtime::Threads)
            .task("greet", greet)
            .build()?;
        let handle = worker.handle();
        let steering = async {
            let said = there.greeting("you").await;
            handle.drain().await;
            said
        };
        let (ended, said) = futures::join!(worker.run(), steering);
        println!("{}", said?);
        ended
    })
}
