//! What the node keeps for one connection, and loses with it.

use std::collections::BTreeMap;

use moorline_link::{Hello, WorkerId};
use moorline_work::{Judgement, TaskKey, WorkerMessage};

use crate::parts::{Assembly, Rest};
use crate::{About, Address};

/// One connection of the coordinator.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Conn {
    /// The name that the transport has seen proven, if it asked for that.
    pub(super) proven: Option<String>,
    /// What it is told beside the reason it is refused for; none: what is said of that reason.
    pub(super) hint: Option<String>,
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
    /// The worker understands where it is told to go.
    pub(super) moves: bool,
    /// Which list of endpoints it was told: 0, none yet.
    pub(super) told: u64,
    /// Where the worker is to be sent next.
    pub(super) redirect: Vec<Address>,
    /// It was sent there, and may go within so many beats.
    pub(super) going: u8,
}

impl Conn {
    pub(super) fn new() -> Self {
        Self {
            proven: None,
            hint: None,
            held: None,
            about: None,
            worker: None,
            asked: BTreeMap::new(),
            answers: Vec::new(),
            incoming: Assembly::new(),
            outgoing: None,
            writable: true,
            moves: false,
            told: 0,
            redirect: Vec::new(),
            going: 0,
        }
    }
}
