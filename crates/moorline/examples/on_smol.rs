//! A worker on smol: nothing around its handlers is tokio.
//!
//! ```text
//! cargo run --example on_smol --features smol
//! ```
#![allow(clippy::print_stdout, reason = "this is a program for people")]

mod there;

use std::time::Duration;

use moorline::{Result, Runtime, TaskCtx, Worker};
use there::There;

/// A task of smol's global executor.
async fn greet(_ctx: TaskCtx, who: String) -> Result<String> {
    smol::Timer::after(Duration::from_millis(10)).await;
    Ok(format!("hello {who}, from smol"))
}

fn main() -> Result<()> {
    let there = There::start()?;
    smol::block_on(async {
        let worker = Worker::builder(there.url())
            .name("on-smol")
            .runtime(Runtime::Smol)
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
