//! What frames are called here, and which task they are about.

use moorline_node::{DownFrame, ToWorker, UpFrame};
use moorline_work::{TaskKey, WorkerMessage};

macro_rules! kinds {
    ($($name:ident $text:literal $meaning:literal;)*) => {
        /// What a frame is: messages of a lane count as what they carry.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        #[repr(u8)]
        pub enum FrameKind { $(#[doc = $meaning] $name,)* }

        impl FrameKind {
            /// Every kind, those of workers first.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// What it is called in scenarios and tables.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $text),* }
            }
        }
    };
}

kinds! {
    Hello "hello" "A worker asks for a session.";
    Item "item" "A worker names something that it holds.";
    ItemsEnd "items-end" "A worker has named all that it holds.";
    WorkerActive "worker-active" "A worker is active.";
    Beat "beat" "A heartbeat.";
    Statistics "statistics" "What a worker's link has counted.";
    WorkerAck "worker-ack" "A worker acknowledges what it was told.";
    Accept "accept" "A worker takes an assignment.";
    Refuse "refuse" "A worker turns an assignment down.";
    Held "held" "A worker has the attempt that it is asked about.";
    NotHeld "not-held" "A worker does not have it.";
    Result "result" "How an attempt ended.";
    WorkerPart "worker-part" "A further piece of what a worker says.";
    Goodbye "goodbye" "A worker leaves.";
    Welcome "welcome" "A session begins or goes on.";
    Refused "refused" "It does not.";
    ItemAnswer "item-answer" "What is to be done about something that a worker holds.";
    CoordinatorActive "coordinator-active" "The coordinator takes the worker for active.";
    BeatAnswer "beat-answer" "The answer to a heartbeat.";
    Probe "probe" "The coordinator asks for a sign of life.";
    CoordinatorAck "coordinator-ack" "The coordinator acknowledges what it was told.";
    Assign "assign" "A worker is given an attempt.";
    Settled "settled" "What became of a result.";
    Cancel "cancel" "An attempt is to stop.";
    Revoke "revoke" "An assignment is taken back, if it was not begun.";
    CoordinatorPart "coordinator-part" "A further piece of what the coordinator says.";
    GoAway "go-away" "The coordinator ends a connection.";
    Endpoints "endpoints" "The coordinator tells where it can be reached too.";
    Redirect "redirect" "The coordinator sends a worker elsewhere.";
}

impl FrameKind {
    /// Whether workers write it.
    #[must_use]
    pub const fn is_of_worker(self) -> bool {
        (self as u8) < (Self::Welcome as u8)
    }

    /// The kind of a worker's frame, and the attempt that it is about.
    #[must_use]
    pub fn of_up(frame: &UpFrame) -> (Self, Option<TaskKey>) {
        match frame {
            UpFrame::Hello { .. } => (Self::Hello, None),
            UpFrame::InventoryItem { .. } => (Self::Item, None),
            UpFrame::InventoryEnd { .. } => (Self::ItemsEnd, None),
            UpFrame::Active => (Self::WorkerActive, None),
            UpFrame::Beat(_) => (Self::Beat, None),
            UpFrame::Statistics(_) => (Self::Statistics, None),
            UpFrame::Ack(_) => (Self::WorkerAck, None),
            UpFrame::Message(message) => match message.head {
                WorkerMessage::Accept { key } => (Self::Accept, Some(key)),
                WorkerMessage::Refuse { key, .. } => (Self::Refuse, Some(key)),
                WorkerMessage::Held { key } => (Self::Held, Some(key)),
                WorkerMessage::NotHeld { key } => (Self::NotHeld, Some(key)),
                WorkerMessage::Result { key, .. } => (Self::Result, Some(key)),
            },
            UpFrame::Part(_) => (Self::WorkerPart, None),
            UpFrame::Goodbye { .. } => (Self::Goodbye, None),
        }
    }

    /// The kind of a coordinator's frame, and the attempt that it is about.
    #[must_use]
    pub fn of_down(frame: &DownFrame) -> (Self, Option<TaskKey>) {
        match frame {
            DownFrame::Welcome { .. } => (Self::Welcome, None),
            DownFrame::Refused { .. } => (Self::Refused, None),
            DownFrame::InventoryAnswer { .. } => (Self::ItemAnswer, None),
            DownFrame::Active => (Self::CoordinatorActive, None),
            DownFrame::BeatAnswer(_) => (Self::BeatAnswer, None),
            DownFrame::Probe => (Self::Probe, None),
            DownFrame::Ack(_) => (Self::CoordinatorAck, None),
            DownFrame::Message(message) => match message.head {
                ToWorker::Assign { key, .. } => (Self::Assign, Some(key)),
                ToWorker::Settled { key, .. } => (Self::Settled, Some(key)),
                ToWorker::Cancel { key } => (Self::Cancel, Some(key)),
                ToWorker::Revoke { key } => (Self::Revoke, Some(key)),
            },
            DownFrame::Part(_) => (Self::CoordinatorPart, None),
            DownFrame::GoAway { .. } => (Self::GoAway, None),
            DownFrame::Endpoints(_) => (Self::Endpoints, None),
            DownFrame::Redirect(_) => (Self::Redirect, None),
        }
    }
}
