//! A worker on async-std, for programs that are built on it. Its authors have discontinued it.
//!
//! ```text
//! cargo run --example on_async_std --features async-std
//! ```
#![allow(clippy::print_stdout, reason = "this is a program for people")]

mod there;

use std::time::Duration;

use moorline::{Result, Runtime, TaskCtx, Worker};
use there::There;

/// A task of async-std's global executor.
async fn greet(_ctx: TaskCtx, who: String) -> Result<String> {
    async_std::task::sleep(Duration::from_millis(10)).await;
    Ok(format!("hello {who}, from async-std"))
}

fn main() -> Result<()> {
    let there = There::start()?;
    async_std::task::block_on(async {
        let worker = Worker::builder(there.url())
            .name("on-async-std")
            .runtime(Runtime::AsyncStd)
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
