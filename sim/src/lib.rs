//! A deterministic world around the real moorline nodes.
//!
//! One coordinator, some workers, their clients, the network between them, the handlers and the
//! store's disk: all in virtual time, from one seed, in one thread, without a runtime. The nodes, the
//! codec and the memory store are the ones that run in production; what is simulated is what they
//! run on. A [`Plan`] is drawn from the seed: settings, tasks, and what goes wrong when. The
//! simulator keeps its own ledger of what every process did and what became durable, and judges each
//! step by it.
//!
//! ```
//! let report = moorline_sim::run(7).expect("every promise is kept");
//! assert_eq!(moorline_sim::run(7).unwrap().hash, report.hash);
//! ```
//!
//! The phases of a run: things go wrong until `quiet_at`; then everything heals, and all tasks must
//! end and all workers be active within a bound that follows from the settings; then nothing but
//! heartbeats may travel.

mod answers;
mod bound;
pub mod check;
mod coverage;
mod decide;
mod disk;
mod frame;
pub mod herd;
mod invariant;
mod ledger;
mod network;
pub mod picture;
mod plan;
mod queue;
mod report;
mod rule;
mod run;
mod sabotage;
mod same;
pub mod scenario;
pub mod shrink;
mod simulate;
mod story;
mod swarm;
mod trace;
mod world;

pub use coverage::{Coverage, Met};
pub use decide::{Base, Decide, Decision, Draws, FromBytes, Log, Overridden, Site};
pub use frame::FrameKind;
pub use invariant::{Class, Invariant, UnknownInvariant};
pub use plan::{
    CoordinatorPlan, Dialled, Ending, Episode, Families, Family, Fault, Kept, Latency, Lull,
    Manner, Mode, Moment, Nudge, Origin, Plan, Refusal, Settings, Side, Size, TaskPlan, Temper,
    Told, Twin, Unfit, Way, Who, Whom, WorkerPlan, Workers,
};
pub use report::{Failure, Report, Seen, Violation};
pub use rule::Rule;
pub use run::{Run, RunOutcome, run, run_plan};
pub use sabotage::Sabotage;
pub use same::{Difference, same};
pub use simulate::{Ended, Job, Made, Simulation, Unkept, simulate};
pub use story::{Sentence, Story};
pub use swarm::{Amount, Kind, SeenIn, Spread, Swarm, SwarmReport, Under, Used};
pub use trace::{Record, Recording, What};
