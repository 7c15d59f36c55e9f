//! Nodes as a model checker compares them: by what they will do from now on.

use std::hash::{Hash, Hasher};
use std::time::Duration;

use moorline_link::Instant;

use crate::{CoordinatorNode, WorkerNode};

/// A node relative to a time, hashed by what it will do from here on: see
/// [`moorline_link::Canonical`] and [`moorline_work::Canonical`] for what that leaves out.
///
/// Beside them the node leaves out its own names and numbers of messages and operations, which count by
/// their order, and what is only written down or told to people. It is meant for a node whose actions were
/// all polled.
///
/// ```
/// use std::hash::{DefaultHasher, Hash, Hasher};
/// use std::time::Duration;
/// use moorline_link::{Backoff, Epoch, HubConfig, Instant};
/// use moorline_node::{Canonical, CoordinatorConfig, CoordinatorNode, Name};
/// use moorline_work::DispatcherConfig;
///
/// let begun = |at| {
///     let config = CoordinatorConfig {
///         hub: HubConfig::default(),
///         dispatcher: DispatcherConfig::default(),
///         retry: Backoff::default(),
///         epoch: Epoch(1),
///         software: Name::new("example 1.0").expect("a name"),
///         seed: 42,
///     };
///     let mut node = CoordinatorNode::new(config, at);
///     while node.poll_action().is_some() {}
///     node
/// };
/// let digest = |at: Instant| {
///     let mut hasher = DefaultHasher::new();
///     Canonical::new(&begun(at), at, Duration::from_secs(3_600)).hash(&mut hasher);
///     hasher.finish()
/// };
/// assert_eq!(digest(Instant::ZERO), digest(Instant::from_nanos(5_000_000_000)));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Canonical<'a, N> {
    node: &'a N,
    now: Instant,
    far: Duration,
}

impl<'a, N> Canonical<'a, N> {
    /// The node as it is at `now`. Distances of `far` or more are all the same: choose it longer than every
    /// delay that is to be told apart.
    #[must_use]
    pub const fn new(node: &'a N, now: Instant, far: Duration) -> Self {
        Self { node, now, far }
    }
}

impl Hash for Canonical<'_, WorkerNode> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.node.feed(self.now, self.far, state);
    }
}

impl Hash for Canonical<'_, CoordinatorNode> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.node.feed(self.now, self.far, state);
    }
}
