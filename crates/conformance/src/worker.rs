//! What a worker keeps, judged by a coordinator that plays one promise after the other.
//!
//! The worker that is judged needs two handlers: one that gives back what it was given (`echo`), and one
//! that runs as many seconds as its payload says in decimal (`sleep`), unless it is stopped.
//!
//! ```no_run
//! use moorline_conformance::{Program, worker};
//!
//! # async fn judge(transport: impl moorline_transport::Transport) {
//! let subject = worker::Subject::new(
//!     transport,
//!     "grpc://127.0.0.1:0".parse().expect("an endpoint"),
//!     Program::new("./worker", ["{url}"]),
//! );
//! let report = worker::run(&subject, worker::PROMISES, |_| ()).await;
//! println!("{report}");
//! # }
//! ```

use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use moorline_transport::{Endpoint, Transport};
use tokio::time::{Instant, timeout};

use self::stage::Stage;
use crate::outcome::{Outcome, Violation};
use crate::report::{failed, judge_all, verdict};
use crate::{Judged, Launch, Limits, Promise, Report};

mod beating;
mod desk;
mod hostile;
mod lanes;
mod leaving;
mod registering;
mod returning;
mod stage;
mod working;

/// The heartbeat interval that is assigned where a script has no other wish: the shortest one that a
/// worker takes by default.
const BEAT: Duration = Duration::from_secs(1);
/// Over how long the first dial after a loss is spread.
const FIRST_WINDOW: Duration = Duration::from_millis(200);
/// When the work of a worker that is silent goes elsewhere.
const LOST_AFTER: Duration = Duration::from_secs(90);

/// The worker that is judged, and how.
///
/// ```
/// use std::time::Duration;
///
/// use moorline_conformance::{Limits, Program, worker};
/// use moorline_transport::Transport;
///
/// fn subject(transport: impl Transport) -> worker::Subject {
///     let at = "grpc://127.0.0.1:0".parse().expect("an endpoint");
///     let limits = Limits { patience: Duration::from_secs(30), jobs: 1, ..Limits::default() };
///     worker::Subject::new(transport, at, Program::new("./worker", ["{url}"])).with_limits(limits)
/// }
/// # let _ = subject(moorline_memory::MemoryTransport::new());
/// ```
#[derive(Clone)]
pub struct Subject {
    transport: Arc<dyn Transport>,
    listen: Endpoint,
    launch: Arc<dyn Launch>,
    echo: String,
    sleep: String,
    limits: Limits,
}

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subject").field("listen", &self.listen).finish_non_exhaustive()
    }
}

impl Subject {
    /// A transport, where to listen (several times at once: port 0), and what starts the worker.
    #[must_use]
    pub fn new(transport: impl Transport, listen: Endpoint, launch: impl Launch + 'static) -> Self {
        Self::shared(Arc::new(transport), listen, launch)
    }

    /// The same with a transport that is shared.
    #[must_use]
    pub fn shared(
        transport: Arc<dyn Transport>,
        listen: Endpoint,
        launch: impl Launch + 'static,
    ) -> Self {
        Self {
            transport,
            listen,
            launch: Arc::new(launch),
            echo: "echo".to_owned(),
            sleep: "sleep".to_owned(),
            limits: Limits::default(),
        }
    }

    /// The names of the two handlers. Default: `echo` and `sleep`.
    #[must_use]
    pub fn with_handlers(mut self, echo: impl Into<String>, sleep: impl Into<String>) -> Self {
        (self.echo, self.sleep) = (echo.into(), sleep.into());
        self
    }

    /// How patiently it is judged. Each promise has a worker of its own.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }
}

type Script = for<'a, 'b> fn(&'a mut Stage<'b>) -> BoxFuture<'a, Outcome>;

/// Judges these promises, and tells each as soon as its script has ended. What a script sees of another
/// promise that is broken counts there, in the report.
///
/// Must run within a tokio runtime that has time, and processes where [`Program`](crate::Program) is
/// used.
pub async fn run(subject: &Subject, promises: &[Promise], told: impl FnMut(&Judged)) -> Report {
    let scripts = promises.iter().filter_map(|promise| {
        let (_, script) = SCRIPTS.iter().find(|(name, _)| *name == promise.name)?;
        Some(play(subject, *promise, *script))
    });
    judge_all(scripts, subject.limits.jobs, told).await
}

/// Plays one script.
async fn play(subject: &Subject, promise: Promise, script: Script) -> (Judged, Vec<Violation>) {
    let begun = Instant::now();
    let (verdict, violations) = match Stage::new(subject).await {
        Ok(mut stage) => {
            let playing = AssertUnwindSafe(timeout(subject.limits.limit, script(&mut stage)));
            let played = playing.catch_unwind().await;
            let mut violations = stage.violations();
            let said = stage.end().await;
            let verdict = verdict(promise, subject.limits.limit, played, &mut violations, said);
            (verdict, violations)
        }
        Err(failure) => (failed(failure, String::new()), Vec::new()),
    };
    (Judged { promise, verdict, took: begun.elapsed() }, violations)
}

macro_rules! promises {
    ($($module:ident::$name:ident $written:literal $proves:literal;)*) => {
        /// Every promise of a worker, the simple ones first.
        pub const PROMISES: &[Promise] = &[$(Promise {
            name: stringify!($name),
            proves: $proves,
            written: concat!("docs/protocol.md#", $written),
        }),*];

        const SCRIPTS: &[(&str, Script)] =
            &[$((stringify!($name), |stage| Box::pin($module::$name(stage)))),*];
    };
}

promises! {
    registering::a_hello_comes_first_and_is_whole "4-registration"
        "Looks at the first frame of the first connection: ids, versions, handlers, slots, credit.";
    registering::an_identity_stays_and_an_incarnation_is_new "1-words"
        "Kills the worker and starts it again in its directory: the same worker, another process.";
    registering::nothing_is_said_before_the_welcome "3-a-connection-from-start-to-end"
        "Leaves a Hello unanswered for 2 s: nothing comes behind it.";
    registering::a_hello_that_nobody_answers_is_given_up "3-a-connection-from-start-to-end"
        "Leaves a Hello unanswered: after about 10 s the connection is given up, and another one comes.";
    registering::packets_are_as_the_schema_says "2-transport-packets-frames"
        "Registers, runs tasks and comes back: each packet can be decoded and keeps to the limits.";
    registering::what_was_not_agreed_on_is_not_said "13-later-versions"
        "Welcomes without any feature: no frame comes that belongs to one.";
    registering::an_inventory_follows_each_welcome "5-inventory"
        "Cuts and resumes, cuts and begins anew while an attempt runs: it is listed, with its end.";
    registering::active_waits_for_every_answer "5-inventory"
        "Holds the answer to an item back for 2 s: no Active before it, and one behind it.";
    registering::work_waits_until_both_are_active "3-a-connection-from-start-to-end"
        "Comes back with results that wait: no ack and no message before both said Active.";
    registering::a_judgement_of_the_inventory_is_followed "5-inventory"
        "Answers an inventory with drop and cancel: the one is forgotten, the other stops.";
    registering::an_adopted_attempt_goes_on_under_its_new_number "5-inventory"
        "Answers an item with adopt: its result has the new attempt.";
    beating::beats_keep_the_interval_that_was_assigned "6-heartbeats"
        "Assigns 1 s, and 3 s on the next connection, and listens to each for some beats.";
    beating::beats_are_numbered_from_one "6-heartbeats"
        "Listens to three beats on each of two connections: 1, 2, 3.";
    beating::beats_go_on_while_the_inventory_waits "6-heartbeats"
        "Holds the answer to an item back for 4 s: beats come all the same.";
    beating::free_slots_are_true "6-heartbeats"
        "Reads the free slots in beats: before an attempt, while it runs, and behind it.";
    beating::a_probe_is_answered_at_once "6-heartbeats"
        "Sends three probes where beats are 10 s apart: a beat comes within 1 s of each.";
    beating::a_silent_coordinator_is_given_up "6-heartbeats"
        "Answers no beat and says nothing: within 25 s the connection is given up, and another one comes.";
    beating::a_session_that_is_not_known_is_begun_again "6-heartbeats"
        "Answers a beat without KNOWN: the worker registers again, and what runs is listed.";
    beating::another_epoch_is_another_coordinator "6-heartbeats"
        "Answers a beat with another epoch: the worker registers again.";
    working::an_assignment_is_accepted_at_once "8-work"
        "Assigns what runs for long: an accept comes within 5 s.";
    working::a_result_is_what_its_handler_made "8-work"
        "Assigns an echo: its result has succeeded, with the payload as its body.";
    working::the_same_assignment_twice_runs_once "8-work"
        "Assigns a key again while it runs and when it has ended: accepted again, and nothing but its result.";
    working::an_unknown_handler_is_refused "8-work"
        "Assigns a handler that the worker did not name: refused, UNKNOWN_HANDLER.";
    working::no_more_is_taken_than_there_are_slots "8-work"
        "Assigns one more than there are slots (up to 64): refused, NO_SLOT.";
    working::a_cancelled_attempt_stops "8-work"
        "Cancels what is not held, and what runs: that stops, and its result says cancelled.";
    working::an_attempt_ends_at_its_limit "8-work"
        "Assigns a long run with a timeout of 1 s: its result says timed out.";
    working::a_revoke_is_answered "8-work"
        "Asks for what is held and for what is not: held; not_held, and refused as REVOKED later.";
    lanes::numbers_of_a_lane_are_dense "7-lanes"
        "Runs twelve tasks, with a cut between them: the numbers of both lanes go up by one.";
    lanes::messages_are_acknowledged "7-lanes"
        "Says something on each lane: both are acknowledged.";
    lanes::acknowledgements_are_true "7-lanes"
        "Reads every acknowledgement of ten tasks: never more than was sent, and never back.";
    lanes::credit_is_given_anew "7-lanes"
        "Asks 600 questions on lane C: all of them are taken and answered.";
    lanes::credit_in_messages_is_respected "7-lanes"
        "Gives credit for two results: the third one waits until there is more.";
    lanes::credit_in_bytes_is_respected "7-lanes"
        "Gives credit for 100 bytes: one result exceeds it, and the next one waits.";
    lanes::a_large_body_is_cut_into_parts "7-lanes"
        "Echoes 200,000 bytes: they come back whole, in packets of at most 64 KiB.";
    lanes::a_session_is_resumed_where_it_stood "7-lanes"
        "Cuts a connection: the next Hello shows the session and where its receiving lanes stand.";
    lanes::what_was_not_received_is_said_again "7-lanes"
        "Loses a result with its connection: in the resumed session it comes under the same number.";
    lanes::what_comes_twice_is_dropped "7-lanes"
        "Says an assignment again under its number: it is not even accepted again.";
    lanes::a_new_session_begins_its_numbers_anew "4-registration"
        "Begins a new session in the middle of work: lanes begin at 1, and what is owed is listed.";
    lanes::a_result_is_kept_until_it_is_settled "8-work"
        "Acknowledges a result without settling it: the next new session lists it and sends it again.";
    lanes::what_is_settled_is_forgotten "8-work"
        "Settles a result: the next new session does not list it.";
    returning::a_refusal_for_a_while_is_obeyed "10-coming-back"
        "Refuses with AFTER 3 s: no dial before that.";
    returning::a_refusal_for_ever_is_obeyed "10-coming-back"
        "Refuses as superseded, NEVER: no dial for 6 s.";
    returning::a_ticket_is_shown_once "4-registration"
        "Refuses with a ticket: the next Hello shows it, and the one behind that does not.";
    returning::dials_keep_their_distance "10-coming-back"
        "Cuts five connections right behind their Hello: dials are 100 ms apart at least.";
    returning::a_go_away_is_obeyed "9-leaving"
        "Sends the worker away for 2 s: it comes back then, not before, and resumes its session.";
    returning::a_go_away_for_ever_is_obeyed "9-leaving"
        "Sends the worker away for good: no dial for 6 s.";
    returning::a_reason_that_is_not_known_is_a_close "11-reasons"
        "Sends the worker away with a reason and a come_back of a later version: it comes back.";
    hostile::what_is_newer_is_ignored "13-later-versions"
        "Adds unknown fields, frames and flags to what is said: the connection goes on.";
    hostile::garbage_ends_the_connection "2-transport-packets-frames"
        "Sends what is no packet: the connection is closed, and another one comes.";
    hostile::a_packet_that_is_too_large_ends_the_connection "12-limits"
        "Sends a packet of 65,537 bytes: the connection is closed, and another one comes.";
    hostile::a_gap_in_a_lane_ends_the_connection "7-lanes"
        "Leaves a number out: the connection is closed, and the session is resumed without the gap.";
    hostile::a_frame_of_a_worker_ends_the_connection "2-transport-packets-frames"
        "Sends a beat to the worker: the connection is closed, and another one comes.";
    leaving::a_drain_finishes_what_runs_and_says_goodbye "9-leaving"
        "Sends SIGTERM while an attempt runs: its result, once settled the Goodbye, the end, exit code 0.";
    leaving::who_drains_takes_nothing_new "9-leaving"
        "Sends SIGTERM while an attempt runs, and assigns another one: refused, DRAINING.";
}

#[cfg(test)]
mod tests;
