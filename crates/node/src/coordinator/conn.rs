//! What the node keeps for one connection, and loses with it.

use std::collections::BTreeMap;

use moorline_link::{Hello, WorkerId};
use moorline_work::{Judgement, TaskKey, WorkerMessage};

use crate::About;
use crate::parts::{Assembly, Rest};

/// One connection of the coordinator.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Conn {
    /// The name that the transport has seen proven, if it asked for that.
    pub(super) proven: Option<String>,
    /// Its Hello, while it is found out whether what it shows is good.
    pub(super) held: Option<Hello>,
    /// What its Hello said, until it is welcomed or refused.
    pub(super) about: Option<About>,
    /// Who it belongs to, once welcomed.
    pub(super) worker: Option<WorkerId>,
    /// Inventory items that are not answered yet: the worker's index by key.
    pub(super) asked: BTreeMap<TaskKey, u32>,
    /// Answers in the order they became ready.
    pub(super) answers: Vec<(u32, TaskKey, Judgement)>,
    /// A large message that is arriving.
    pub(super) incoming: Assembly<WorkerMessage>,
    /// A large message that is leaving.
    pub(super) outgoing: Option<Rest>,
    /// The transport takes packets.
    pub(super) writable: bool,
}

impl Conn {
    pub(super) fn new() -> Self {
        Self {
            proven: None,
            held: None,
            about: None,
            worker: None,
            asked: BTreeMap::new(),
            answers: Vec::new(),
            incoming: Assembly::new(),
            outgoing: None,
            writable: true,
        }
    }
}
