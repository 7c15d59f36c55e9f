//! A worker on tokio, which is where it is unless it is told otherwise.
//!
//! ```text
//! cargo run --example on_tokio
//! ```
#![allow(clippy::print_stdout, reason = "this is a program for people")]

mod there;

use std::time::Duration;

use moorline::{Result, TaskCtx, Worker};
use there::There;

/// A task of the tokio runtime in which the worker was built.
async fn greet(_ctx: TaskCtx, who: String) -> Result<String> {
    tokio::time::sleep(Duration::from_millis(10)).await;
    Ok(format!("hello {who}, from tokio"))
}

fn main() -> Result<()> {
    let there = There::start()?;
    tokio::runtime::Runtime::new().map_err(moorline::Error::Start)?.block_on(async {
        let worker = Worker::builder(there.url()).name("on-tokio").task("greet", greet).build()?;
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
