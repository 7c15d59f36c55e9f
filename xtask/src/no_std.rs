//! `no-std`: builds a bare static library from the machines, without the standard library.
//!
//! A crate that only *says* `no_std` may still pull std in through a dependency or a feature. Linked
//! into a library with a panic handler and an allocator of its own, it cannot: the compiler refuses
//! a second panic handler.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::Outcome;

const MANIFEST: &str = r#"[package]
name = "no-std-probe"
version = "0.0.0"
edition = "2024"
publish = false

[lib]
crate-type = ["staticlib"]
path = "lib.rs"

[dependencies]
emballoc = "0.3"
moorline-link = { path = "ROOT/crates/link" }
moorline-work = { path = "ROOT/crates/work" }

[profile.dev]
panic = "abort"

[workspace]
"#;

const SOURCE: &str = r#"//! Both machines of a worker and both of a coordinator, in a library without std.
#![no_std]

use moorline_link::{
    Epoch, Hub, HubConfig, HubInput, Identity, Incarnation, Instant, Link, LinkConfig, LinkInput, Sym,
    Versions, WorkerId,
};
use moorline_work::{Dispatcher, DispatcherConfig, DispatcherInput, Runner, RunnerConfig, RunnerInput};

#[global_allocator]
static ALLOCATOR: emballoc::Allocator<65536> = emballoc::Allocator::new();

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

#[unsafe(no_mangle)]
pub extern "C" fn probe(nanos: u64) -> bool {
    let now = Instant::from_nanos(nanos);
    let mut hub = Hub::new(HubConfig::default(), Epoch(1), 0, now);
    hub.handle(now, HubInput::Timeout);
    let identity = Identity {
        worker: WorkerId(1),
        incarnation: Incarnation(1),
        name: Sym(0),
        versions: Versions::SPOKEN,
        features: 0,
    };
    let mut link = Link::new(LinkConfig::default(), identity, 0, now);
    link.handle(now, LinkInput::Timeout);
    let now = moorline_work::Instant::from_nanos(nanos);
    let mut runner = Runner::new(RunnerConfig::default(), []);
    runner.handle(now, RunnerInput::Timeout);
    let mut dispatcher = Dispatcher::new(DispatcherConfig::default(), now);
    dispatcher.handle(now, DispatcherInput::Timeout);
    let quiet = hub.poll_action().is_none() && link.poll_action().is_none();
    quiet && runner.poll_action().is_none() && dispatcher.poll_action().is_none()
}
"#;

pub(crate) fn run(_: &[String]) -> Outcome {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().ok_or("xtask has no parent")?;
    let probe = tempfile::tempdir()?;
    let root = root.to_str().ok_or("the path of the checkout is not UTF-8")?;
    fs::write(probe.path().join("Cargo.toml"), MANIFEST.replace("ROOT", root))?;
    fs::write(probe.path().join("lib.rs"), SOURCE)?;
    let status = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--target-dir"])
        .arg(Path::new(root).join("target/no-std-probe"))
        .current_dir(probe.path())
        .status()?;
    if !status.success() {
        return Err("the machines do not link without std".into());
    }
    println!("link and work link into a static library without std");
    Ok(())
}
