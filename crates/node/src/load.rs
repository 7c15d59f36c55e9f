//! What the nodes hold in memory: counts, for whoever watches that it stays within bounds.

/// How much a [`CoordinatorNode`](crate::CoordinatorNode) holds at this moment.
///
/// ```
/// use moorline_node::CoordinatorLoad;
///
/// let load = CoordinatorLoad { tasks: 3, ..CoordinatorLoad::default() };
/// assert_eq!(load.connections, 0);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct CoordinatorLoad {
    /// Connections that it knows, those that it closes included.
    pub connections: usize,
    /// Messages for workers that they have not processed yet.
    pub outgoing: usize,
    /// Results of workers that are not answered yet.
    pub results: usize,
    /// Tasks whose lease may still come to be assigned.
    pub assignments: usize,
    /// Submits that are not on their way to the store yet.
    pub submits: usize,
    /// Tasks that it claimed or has leased out.
    pub tasks: usize,
}

/// How much a [`WorkerNode`](crate::WorkerNode) holds at this moment.
///
/// ```
/// use moorline_node::WorkerLoad;
///
/// let load = WorkerLoad { running: 2, ..WorkerLoad::default() };
/// assert_eq!(load.results, 0);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct WorkerLoad {
    /// Runs whose handler has not ended.
    pub running: usize,
    /// Results that are not answered yet.
    pub results: usize,
    /// Bodies that are kept for them; never more than there are results.
    pub bodies: usize,
    /// Messages that the coordinator has not acknowledged yet.
    pub messages: usize,
}
