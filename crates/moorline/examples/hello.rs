//! A whole worker: one handler, for the coordinator on this machine.
//!
//! ```text
//! moorline coordinator                 in one terminal
//! cargo run --example hello            in another
//! moorline task submit greet '"you"'   in a third
//! ```

use moorline::{Result, TaskCtx, Worker};

async fn greet(_ctx: TaskCtx, who: String) -> Result<String> {
    Ok(format!("hello {who}"))
}

#[tokio::main]
async fn main() -> Result<()> {
    Worker::builder("grpc://127.0.0.1:8740").task("greet", greet).run().await
}
