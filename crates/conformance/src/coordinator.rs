//! What a coordinator keeps, judged by workers that play one promise after the other.
//!
//! They have names and identities of their own, and leave with a Goodbye: a coordinator that runs is not
//! disturbed by them. What needs tasks is judged only where they can be handed in, see [`Submit`]. Where
//! workers have to prove who they are, see [`Subject::with_credential`] and [`Subject::with_name`].
//!
//! ```no_run
//! use moorline_conformance::coordinator;
//!
//! # async fn judge(transport: impl moorline_transport::Transport) {
//! let at = "grpc://127.0.0.1:8740".parse().expect("an endpoint");
//! let subject = coordinator::Subject::new(transport, at);
//! let report = coordinator::run(&subject, coordinator::PROMISES, |_| ()).await;
//! println!("{report}");
//! # }
//! ```

use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use moorline_node::{Credential, Name};
use moorline_transport::{Endpoint, Transport};
use tokio::time::{Instant, timeout};

use crate::outcome::{Outcome, Violation};
use crate::report::{judge_all, verdict};
use crate::{Judged, Limits, Promise, Report};

mod entering;
mod hostile;
mod player;
mod seat;
mod talking;
mod tasks;

/// Hands in tasks, so that promises about work can be judged.
///
/// ```
/// use bytes::Bytes;
/// use futures::FutureExt;
/// use futures::future::BoxFuture;
/// use moorline_conformance::coordinator::Submit;
///
/// /// Whatever takes tasks in.
/// struct Nobody;
///
/// impl Submit for Nobody {
///     fn submit(&self, _: String, _: Bytes) -> BoxFuture<'_, Result<(), String>> {
///         async { Err("nobody takes tasks in".to_owned()) }.boxed()
///     }
/// }
/// ```
pub trait Submit: Send + Sync {
    /// Hands a task in for the handler of this name. An error in words if it was not taken.
    fn submit(&self, handler: String, payload: Bytes) -> BoxFuture<'_, Result<(), String>>;
}

/// The coordinator that is judged, and how.
///
/// ```
/// use std::time::Duration;
///
/// use moorline_conformance::Limits;
/// use moorline_conformance::coordinator::Subject;
/// use moorline_transport::Transport;
///
/// fn subject(transport: impl Transport) -> Subject {
///     let at = "grpc://127.0.0.1:8740".parse().expect("an endpoint");
///     let limits = Limits { patience: Duration::from_secs(30), ..Limits::default() };
///     Subject::new(transport, at).with_limits(limits)
/// }
/// # let _ = subject(moorline_memory::MemoryTransport::new());
/// ```
#[derive(Clone)]
pub struct Subject {
    transport: Arc<dyn Transport>,
    at: Endpoint,
    submit: Option<Arc<dyn Submit>>,
    credential: Option<Credential>,
    name: Option<Name>,
    limits: Limits,
}

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subject").field("at", &self.at).finish_non_exhaustive()
    }
}

impl Subject {
    /// A transport, and where the coordinator listens.
    #[must_use]
    pub fn new(transport: impl Transport, at: Endpoint) -> Self {
        Self::shared(Arc::new(transport), at)
    }

    /// The same with a transport that is shared.
    #[must_use]
    pub fn shared(transport: Arc<dyn Transport>, at: Endpoint) -> Self {
        let limits = Limits::default();
        Self { transport, at, submit: None, credential: None, name: None, limits }
    }

    /// What hands in tasks. Default: nothing, and what needs them is not judged.
    #[must_use]
    pub fn with_tasks(mut self, submit: impl Submit + 'static) -> Self {
        self.submit = Some(Arc::new(submit));
        self
    }

    /// What every worker proves itself with. Default: nothing, which a coordinator that wants something
    /// refuses.
    #[must_use]
    pub fn with_credential(mut self, credential: Credential) -> Self {
        self.credential = Some(credential);
        self
    }

    /// The one name of all workers, where who they are is proven, by a certificate for instance: promises
    /// are judged one at a time then, whatever [`Limits::jobs`] says. One that is broken may leave the name
    /// in use, and be followed by others that only say so. Default: each worker has a name of its own.
    #[must_use]
    pub fn with_name(mut self, name: Name) -> Self {
        self.name = Some(name);
        self
    }

    /// How patiently it is judged.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }
}

/// What the workers of a script have in common.
pub(crate) struct Table<'a> {
    subject: &'a Subject,
    /// What was seen that no coordinator may do.
    seen: Seen,
}

/// Shared by everything that watches one script.
#[derive(Clone, Default, Debug)]
struct Seen(Arc<Mutex<Vec<Violation>>>);

impl Seen {
    fn add(&self, violation: Violation) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(violation);
    }

    fn take(&self) -> Vec<Violation> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

type Script = for<'a, 'b> fn(&'a Table<'b>) -> BoxFuture<'a, Outcome>;

/// Judges these promises, and tells each as soon as its script has ended. What a script sees of another
/// promise that is broken counts there, in the report.
///
/// Must run within a tokio runtime that has time.
pub async fn run(subject: &Subject, promises: &[Promise], told: impl FnMut(&Judged)) -> Report {
    let scripts = promises.iter().filter_map(|promise| {
        let (_, script) = SCRIPTS.iter().find(|(name, _)| *name == promise.name)?;
        Some(play(subject, *promise, *script))
    });
    // One name is that of one worker at a time.
    let jobs = if subject.name.is_some() { 1 } else { subject.limits.jobs };
    judge_all(scripts, jobs, told).await
}

/// Plays one script.
async fn play(subject: &Subject, promise: Promise, script: Script) -> (Judged, Vec<Violation>) {
    let begun = Instant::now();
    let table = Table { subject, seen: Seen::default() };
    let playing = AssertUnwindSafe(timeout(subject.limits.limit, script(&table)));
    let played = playing.catch_unwind().await;
    let mut violations = table.seen.take();
    let verdict = verdict(promise, subject.limits.limit, played, &mut violations, String::new());
    (Judged { promise, verdict, took: begun.elapsed() }, violations)
}

macro_rules! promises {
    ($($module:ident::$name:ident $written:literal $proves:literal;)*) => {
        /// Every promise of a coordinator, the simple ones first.
        pub const PROMISES: &[Promise] = &[$(Promise {
            name: stringify!($name),
            proves: $proves,
            written: concat!("docs/protocol.md#", $written),
        }),*];

        const SCRIPTS: &[(&str, Script)] =
            &[$((stringify!($name), |table| Box::pin($module::$name(table)))),*];
    };
}

promises! {
    entering::a_hello_is_answered_with_a_welcome "4-registration"
        "Registers: version, session, credit, heartbeat interval and lost_after are there.";
    entering::nothing_is_said_before_the_hello "3-a-connection-from-start-to-end"
        "Connects and says nothing for 2 s: nothing comes.";
    entering::who_never_says_hello_is_closed "3-a-connection-from-start-to-end"
        "Connects and says nothing: within 20 s the connection is closed.";
    entering::packets_are_as_the_schema_says "2-transport-packets-frames"
        "Registers, beats, brings a result: each packet can be decoded and keeps to the limits.";
    entering::a_range_of_versions_is_answered_with_one_of_them "13-later-versions"
        "Offers versions 1 to 9: the Welcome has one that was offered.";
    entering::a_version_that_is_not_spoken_is_refused_for_good "13-later-versions"
        "Offers version 60,000 alone: refused, version_unsupported, and not to come back.";
    entering::a_feature_that_was_not_offered_is_not_agreed_on "13-later-versions"
        "Offers no feature, and then one that does not exist: what is agreed on was offered.";
    entering::active_is_answered "3-a-connection-from-start-to-end"
        "Ends an empty inventory and says Active: so does the coordinator, and not before.";
    entering::each_item_of_the_inventory_is_answered_once "5-inventory"
        "Lists 50 attempts of nobody's tasks: each is answered once, under its index and key.";
    entering::a_session_is_resumed_where_it_stood "10-coming-back"
        "Cuts a connection and shows the session: it goes on, and its lanes stand where they stood.";
    entering::a_session_of_another_life_is_not_resumed "4-registration"
        "Cuts, and shows its session with another epoch: welcomed into a new one.";
    entering::a_second_connection_takes_the_session_over "4-registration"
        "Says the same Hello on a second connection: resumed there, and the first one is closed.";
    entering::another_process_takes_the_place_of_one_that_is_gone "4-registration"
        "Cuts, and comes back as another process: welcomed into a new session.";
    entering::another_process_is_refused_while_one_lives "4-registration"
        "Comes as another process while the first one answers its probe: refused, name_conflict.";
    entering::a_process_that_answers_no_probe_is_replaced "4-registration"
        "The same, but the first one is silent: the newcomer is welcomed, the other superseded.";
    entering::a_name_in_use_is_refused "4-registration"
        "Another identity says a name that is in use: refused, name_conflict.";
    entering::a_goodbye_frees_the_name "9-leaving"
        "Says Goodbye: another identity may have the name at once.";
    talking::beats_are_answered_by_their_number "6-heartbeats"
        "Beats five times: each is answered, with its number, KNOWN, ACTIVE and the epoch.";
    talking::a_result_of_nobodys_task_is_settled_as_unknown "8-work"
        "Brings a result of a task that never was: acknowledged, and settled as UNKNOWN.";
    talking::messages_are_acknowledged "7-lanes"
        "Brings three results: within 5 s lane B is acknowledged up to the last one.";
    talking::numbers_of_a_lane_are_dense "7-lanes"
        "Brings ten results, with a cut between them: the numbers of the answers go up by one.";
    talking::what_comes_twice_is_dropped "7-lanes"
        "Brings a result again under its number: it is not answered again.";
    talking::what_was_not_received_is_said_again "7-lanes"
        "Loses an answer with its connection: in the resumed session it comes under the same number.";
    talking::credit_in_messages_is_respected "7-lanes"
        "Gives credit for one message: the second answer waits until there is more.";
    talking::credit_in_bytes_is_respected "7-lanes"
        "Gives credit for one byte: one answer exceeds it, and the next one waits.";
    talking::credit_is_given_anew "7-lanes"
        "Brings 600 results: all of them are taken and answered.";
    talking::a_body_in_parts_is_taken "7-lanes"
        "Brings a result of 200,000 bytes in parts, with beats between them: acknowledged and settled.";
    talking::what_is_newer_is_ignored "13-later-versions"
        "Adds unknown fields, frames and flags to what is said: the connection goes on.";
    hostile::what_is_said_before_a_hello_ends_the_connection "3-a-connection-from-start-to-end"
        "Beats before the Hello: the connection is closed.";
    hostile::work_before_active_ends_the_connection "3-a-connection-from-start-to-end"
        "Acknowledges something before Active: the connection is closed.";
    hostile::garbage_ends_the_connection "2-transport-packets-frames"
        "Sends what is no packet: the connection is closed.";
    hostile::a_packet_that_is_too_large_ends_the_connection "12-limits"
        "Sends a packet of 65,537 bytes: the connection is closed.";
    hostile::lanes_that_are_mixed_end_the_connection "2-transport-packets-frames"
        "Sends a beat and a result in one packet: the connection is closed.";
    hostile::a_frame_of_a_coordinator_ends_the_connection "2-transport-packets-frames"
        "Sends a Probe: the connection is closed.";
    hostile::a_gap_in_a_lane_ends_the_connection "7-lanes"
        "Leaves a number out: the connection is closed.";
    hostile::an_acknowledgement_of_nothing_ends_the_connection "7-lanes"
        "Acknowledges message 1,000, which was never sent: the connection is closed.";
    hostile::a_part_that_does_not_fit_ends_the_connection "7-lanes"
        "Leaves a gap in a body: the connection is closed.";
    hostile::an_inventory_that_is_miscounted_ends_the_connection "5-inventory"
        "Ends an empty inventory with count 3: the connection is closed.";
    tasks::a_task_is_assigned_and_its_result_is_accepted "8-work"
        "Hands a task in: assigned with its payload; its result is settled as ACCEPTED.";
    tasks::a_result_that_comes_again_is_a_duplicate "8-work"
        "Brings the same result again: settled as DUPLICATE.";
    tasks::no_more_is_assigned_than_there_are_slots "8-work"
        "Hands in two tasks for one slot: the second is assigned when the first has ended.";
    tasks::an_assignment_outlives_its_connection "7-lanes"
        "Cuts behind an assignment, and resumes without having it: it comes again, under its number.";
    tasks::a_running_attempt_of_a_new_session_goes_on "5-inventory"
        "Registers anew with the attempt in its inventory: answered CONTINUE, and its result counts.";
}

#[cfg(test)]
mod tests;
