//! How transports go through the conformance kit on tokio, on several threads and on one.

use futures::future::BoxFuture;
use moorline_transport::conformance::Verdict;
use rustix::process::{Resource, getrlimit, setrlimit};
use tokio::runtime::Builder;

pub(crate) fn on_several_threads(check: BoxFuture<'static, Verdict>) -> Verdict {
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a runtime").block_on(check)
}

pub(crate) fn on_one_thread(check: BoxFuture<'static, Verdict>) -> Verdict {
    Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(check)
}

/// As many descriptors as this process may have: 1,000 connections have twice as many sockets, and the
/// tests of a program run side by side.
pub(crate) fn take_all_descriptors() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).expect("as much as this process may have");
}
