//! What every transport has to keep, as a list of promises that a transport's own tests go through.
//!
//! It needs no runtime, and no test framework but the one that Rust has. A test for each promise, where
//! [`Subject`] says what differs between transports and `block_on` is whatever runs a future:
//!
//! ```
//! # use futures::future::BoxFuture;
//! # use moorline_link::Reason;
//! # use moorline_transport::{Connection, DialError, Endpoint, ListenError, Listener, Transport};
//! # struct Mine;
//! # impl Transport for Mine {
//! #     fn schemes(&self) -> &'static [&'static str] { &["mine"] }
//! #     fn dial(&self, _: &Endpoint) -> BoxFuture<'static, Result<Connection, DialError>> {
//! #         let error = DialError { reason: Reason::Unreachable, detail: String::new() };
//! #         Box::pin(async { Err(error) })
//! #     }
//! #     fn listen(&self, at: &Endpoint)
//! #         -> BoxFuture<'static, Result<Box<dyn Listener>, ListenError>> {
//! #         let error = ListenError::Scheme { endpoint: at.clone() };
//! #         Box::pin(async { Err(error) })
//! #     }
//! # }
//! use moorline_transport::conformance::{Lanes, Socket, Subject};
//!
//! fn subject() -> Subject {
//!     Subject::new(Mine, "mine://127.0.0.1:0".parse().expect("an endpoint"))
//!         .with_lanes(Lanes::AreIndependent)
//!         .with_socket(Socket::Tcp)
//! }
//!
//! moorline_transport::conformance! {
//!     subject: subject(),
//!     block_on: futures::executor::block_on,
//! }
//!
//! # let patience = std::time::Duration::from_millis(50);
//! // Or all of them, and a report:
//! let report = futures::executor::block_on(moorline_transport::conformance::run(&subject(), |_| ()));
//! # assert!(!report.is_kept());
//! println!("{report}");
//! ```
//!
//! A check waits for what has to happen, for no longer than [`Subject::with_patience`] allows. What must
//! *not* happen (a packet that is taken though nobody reads, an answer of somebody who is silent) is
//! waited for [`Subject::with_quiet`]: a machine that is slow makes such a check weaker, never wrong.

use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use futures::FutureExt;
use futures::future::BoxFuture;

use self::clock::within;
use self::tools::{Failure, Outcome};
use crate::{Endpoint, PACKET_MAX, Transport, UNWRITTEN_MAX};

mod clock;
mod crowd;
mod ends;
mod garbage;
mod opening;
mod pressure;
mod talk;
mod tools;

/// The transport that is looked at, and what differs between transports.
///
/// ```
/// use moorline_transport::Transport;
/// use moorline_transport::conformance::{Socket, Subject};
///
/// fn subject(transport: impl Transport) -> Subject {
///     Subject::new(transport, "tcp://127.0.0.1:0".parse().expect("an endpoint"))
///         .with_socket(Socket::Tcp)
///         .with_withheld_max(8 << 20)
///         .with_connections(200)
/// }
/// ```
#[derive(Clone)]
pub struct Subject {
    transport: Arc<dyn Transport>,
    listen: Endpoint,
    lanes: Lanes,
    ends: Ends,
    socket: Socket,
    withheld_max: usize,
    connections: u32,
    idle: Duration,
    patience: Duration,
    quiet: Duration,
}

/// What holds between packets of different lanes.
///
/// ```
/// use moorline_transport::conformance::{Ends, Lanes, Subject};
///
/// /// As over QUIC: a stream for each lane, each of which ends by itself.
/// fn with_streams(subject: Subject) -> Subject {
///     subject.with_lanes(Lanes::AreIndependent).with_ends(Ends::AreIndependent)
/// }
/// # let _ = with_streams;
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Lanes {
    /// All packets arrive in the order in which they were sent: gRPC, WebSocket.
    ShareOneOrder,
    /// A packet may overtake one of the other lane: QUIC.
    AreIndependent,
}

/// What becomes of one direction when the other one ends in order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ends {
    /// It goes on until it ends itself: gRPC, QUIC.
    AreIndependent,
    /// Both end: what the other end sends from then on is lost. WebSocket, whose close frame is meant so
    /// (RFC 6455, 5.5.1).
    AreTogether,
}

/// What a stranger finds at the address of a listener.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Socket {
    /// Nothing: it is reached through the transport alone. What is said of strangers does not apply.
    None,
    /// A TCP socket, at the host and the port of [`Listener::endpoint`](crate::Listener::endpoint).
    Tcp,
    /// A UDP socket, there as well.
    Udp,
}

impl Subject {
    /// A transport, and where it is to listen: at a place that is free, and free again when a listener is
    /// dropped. Port 0 is the usual one.
    #[must_use]
    pub fn new(transport: impl Transport, listen: Endpoint) -> Self {
        Self {
            transport: Arc::new(transport),
            listen,
            lanes: Lanes::ShareOneOrder,
            ends: Ends::AreIndependent,
            socket: Socket::None,
            withheld_max: UNWRITTEN_MAX + PACKET_MAX,
            connections: 1_000,
            idle: Duration::from_secs(1),
            patience: Duration::from_secs(20),
            quiet: Duration::from_millis(300),
        }
    }

    /// What holds between packets of different lanes. Default: they share one order.
    #[must_use]
    pub fn with_lanes(mut self, lanes: Lanes) -> Self {
        self.lanes = lanes;
        self
    }

    /// What becomes of one direction when the other one ends. Default: it goes on.
    #[must_use]
    pub fn with_ends(mut self, ends: Ends) -> Self {
        self.ends = ends;
        self
    }

    /// What a stranger finds at the address of a listener. Default: nothing.
    #[must_use]
    pub fn with_socket(mut self, socket: Socket) -> Self {
        self.socket = socket;
        self
    }

    /// Bytes of packets that are taken at most while the peer reads nothing: what waits in the
    /// transport, in the network and at the peer. Default: 192 KiB, which is [`UNWRITTEN_MAX`] and a
    /// packet. The system's buffers of a TCP connection on loopback may take a few MiB more.
    #[must_use]
    pub fn with_withheld_max(mut self, bytes: usize) -> Self {
        self.withheld_max = bytes;
        self
    }

    /// Connections that are open at the same time. Default: 1,000. With sockets this process needs two
    /// descriptors for each.
    #[must_use]
    pub fn with_connections(mut self, connections: u32) -> Self {
        self.connections = connections;
        self
    }

    /// How long a connection on which nothing happens is left alone. Default: a second. More than any
    /// time the transport gives those who have not said yet what they want is a better choice.
    #[must_use]
    pub fn with_idle(mut self, time: Duration) -> Self {
        self.idle = time;
        self
    }

    /// How long is waited for each thing that has to happen. Default: 20 s, which only a broken promise
    /// takes; a whole check may take three times as long and [`Self::with_idle`].
    #[must_use]
    pub fn with_patience(mut self, time: Duration) -> Self {
        self.patience = time;
        self
    }

    /// How long nothing happens before it is taken for granted that nothing will. Default: 300 ms.
    #[must_use]
    pub fn with_quiet(mut self, time: Duration) -> Self {
        self.quiet = time;
        self
    }

    /// A check that takes longer than this is broken.
    fn check_max(&self) -> Duration {
        self.patience * 3 + self.idle
    }
}

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subject").field("listen", &self.listen).finish_non_exhaustive()
    }
}

/// One thing that every transport promises.
///
/// ```
/// use moorline_transport::conformance::{PROMISES, Promise};
///
/// let mut names = PROMISES.iter().map(Promise::name);
/// assert!(names.any(|name| name == "an_abrupt_end_is_a_reset"));
/// ```
#[derive(Clone, Copy)]
pub struct Promise {
    name: &'static str,
    proves: &'static str,
    check: for<'a> fn(&'a Subject) -> BoxFuture<'a, Outcome>,
}

impl Promise {
    /// The promise, as a sentence with underscores.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// What is done to see whether it is kept.
    #[must_use]
    pub const fn proves(&self) -> &'static str {
        self.proves
    }

    /// Sees whether it is kept. Takes at most three times [`Subject::with_patience`] and
    /// [`Subject::with_idle`], unless the transport holds up the thread.
    pub async fn check(&self, subject: &Subject) -> Verdict {
        let limit = subject.check_max();
        let checked = AssertUnwindSafe(within(limit, (self.check)(subject))).catch_unwind().await;
        let (expected, saw) = match checked {
            Ok(Some(Ok(()))) => return Verdict::Kept,
            Ok(Some(Err(Failure::DoesNotApply(why)))) => return Verdict::DoesNotApply(why),
            Ok(Some(Err(Failure::Broken { expected, saw }))) => (expected, saw),
            Ok(None) => {
                ("it is done by now".to_owned(), format!("it goes on and on, for {limit:?}"))
            }
            Err(panic) => {
                let words = panic.downcast_ref::<String>().map(String::as_str);
                let words = words.or_else(|| panic.downcast_ref::<&str>().copied());
                ("no panic".to_owned(), format!("a panic: {}", words.unwrap_or("without words")))
            }
        };
        Verdict::Broken(Broken { promise: self.name, proves: self.proves, expected, saw })
    }
}

impl fmt::Debug for Promise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Promise").field(&self.name).finish()
    }
}

/// What came of a check.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// The promise is kept.
    Kept,
    /// It says nothing about transports like this one; why.
    DoesNotApply(&'static str),
    /// It is not kept.
    Broken(Broken),
}

/// A promise that is not kept.
///
/// ```
/// use moorline_transport::conformance::Broken;
///
/// let broken = Broken {
///     promise: "an_abrupt_end_is_a_reset",
///     proves: "Drops one end: the other reads transport_reset.",
///     expected: "the end of the connection, transport_reset".to_owned(),
///     saw: "the end, closed_by_peer".to_owned(),
/// };
/// assert!(broken.to_string().starts_with("broken: an_abrupt_end_is_a_reset\n"));
/// ```
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("broken: {promise}\n  {proves}\n  expected: {expected}\n  saw:      {saw}")]
pub struct Broken {
    /// The promise, as a sentence with underscores.
    pub promise: &'static str,
    /// What was done to see whether it is kept.
    pub proves: &'static str,
    /// What had to happen, in words.
    pub expected: String,
    /// What happened, in words.
    pub saw: String,
}

/// One promise of a [`Report`].
#[derive(Clone, Debug)]
pub struct Judged {
    /// The promise.
    pub promise: Promise,
    /// What came of its check.
    pub verdict: Verdict,
    /// How long the check took.
    pub took: Duration,
}

impl fmt::Display for Judged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let took = self.took.as_secs_f64();
        match &self.verdict {
            Verdict::Kept => write!(f, "kept ({took:.2} s): {}", self.promise.name),
            Verdict::DoesNotApply(why) => {
                write!(f, "does not apply ({why}): {}", self.promise.name)
            }
            Verdict::Broken(broken) => write!(f, "{broken}"),
        }
    }
}

/// Every promise and what came of it; as text, a line for each and more for those that are broken.
///
/// ```
/// use std::time::Duration;
///
/// use moorline_transport::conformance::{Judged, PROMISES, Report, Verdict};
///
/// let judged = Judged { promise: PROMISES[0], verdict: Verdict::Kept, took: Duration::ZERO };
/// let report = Report { judged: vec![judged] };
/// assert!(report.is_kept());
/// assert!(report.to_string().ends_with("1 kept, 0 broken, 0 do not apply"));
/// ```
#[derive(Clone, Debug)]
pub struct Report {
    /// In the order of [`PROMISES`].
    pub judged: Vec<Judged>,
}

impl Report {
    /// Whether no promise is broken.
    #[must_use]
    pub fn is_kept(&self) -> bool {
        self.broken().next().is_none()
    }

    /// Those that are broken.
    pub fn broken(&self) -> impl Iterator<Item = &Broken> {
        self.judged.iter().filter_map(|judged| match &judged.verdict {
            Verdict::Broken(broken) => Some(broken),
            Verdict::Kept | Verdict::DoesNotApply(_) => None,
        })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for judged in &self.judged {
            writeln!(f, "{judged}")?;
        }
        let count = |is: fn(&Verdict) -> bool| {
            self.judged.iter().filter(|judged| is(&judged.verdict)).count()
        };
        let kept = count(|verdict| matches!(verdict, Verdict::Kept));
        let void = count(|verdict| matches!(verdict, Verdict::DoesNotApply(_)));
        write!(f, "{kept} kept, {} broken, {void} do not apply", self.broken().count())
    }
}

/// Checks one promise after the other. Each is told as soon as it is judged.
pub async fn run(subject: &Subject, mut told: impl FnMut(&Judged)) -> Report {
    let mut report = Report { judged: Vec::with_capacity(PROMISES.len()) };
    for promise in PROMISES {
        let begun = Instant::now();
        let verdict = promise.check(subject).await;
        let judged = Judged { promise: *promise, verdict, took: begun.elapsed() };
        told(&judged);
        report.judged.push(judged);
    }
    report
}

/// Checks one promise on a thread of its own: the body of the tests that
/// [`conformance!`](crate::conformance) makes.
///
/// # Panics
/// The promise is broken, there is none of this name, or the transport holds up the thread.
#[track_caller]
pub fn keep<B>(promise: &str, subject: Subject, block_on: B)
where
    B: FnOnce(BoxFuture<'static, Verdict>) -> Verdict + Send + 'static,
{
    let found = PROMISES.iter().find(|it| it.name == promise);
    let Some(found) = found else { panic!("there is no promise `{promise}`") };
    // Behind the check's own limit: only who never gives the thread back gets here.
    let limit = subject.check_max() + subject.patience;
    let (judged, verdict) = mpsc::channel();
    thread::spawn(move || {
        let verdict = block_on(Box::pin(async move { found.check(&subject).await }));
        // Whoever waited may have given up.
        let _ = judged.send(verdict);
    });
    match verdict.recv_timeout(limit) {
        Ok(Verdict::Kept | Verdict::DoesNotApply(_)) => {}
        Ok(Verdict::Broken(broken)) => panic!("{broken}"),
        Err(mpsc::RecvTimeoutError::Timeout) => {
            panic!("broken: {promise}\n  the transport holds up its thread, for {limit:?}")
        }
        Err(mpsc::RecvTimeoutError::Disconnected) => panic!("{promise}: block_on panicked"),
    }
}

macro_rules! promises {
    ($dollar:tt $($module:ident::$name:ident $proves:literal;)*) => {
        /// Every promise, the simple ones first.
        pub const PROMISES: &[Promise] = &[$(Promise {
            name: stringify!($name),
            proves: $proves,
            check: |subject| Box::pin($module::$name(subject)),
        }),*];

        /// A test for each promise of [`conformance`](crate::conformance), by its name.
        ///
        /// `subject` is an expression for a [`Subject`](crate::conformance::Subject), and `block_on` one
        /// for what runs a future to its end and returns what comes of it: each test evaluates both anew.
        /// See [`conformance`](crate::conformance) for an example.
        #[macro_export]
        macro_rules! conformance {
            (subject: $dollar subject:expr, block_on: $dollar block_on:expr $dollar(,)?) => {
                $(
                    #[test]
                    fn $name() {
                        $dollar crate::conformance::keep(
                            stringify!($name),
                            $dollar subject,
                            $dollar block_on,
                        );
                    }
                )*
            };
        }
    };
}

promises! { $
    talk::packets_arrive_in_order_both_ways_and_whole
        "Both ends send a packet and read one, 200 times, of sizes up to 64 KiB.";
    talk::every_packet_arrives_once
        "Both ends send 500 packets at the same time and end in order: each arrives, and none twice.";
    talk::packets_of_all_sizes_arrive_whole
        "From no byte to 65,536: all sizes up to 1,100, around each power of two, and 2,000 in between.";
    talk::a_packet_above_the_limit_is_a_protocol_error
        "Sends one of 65,537 bytes behind a small one: that arrives, and then the end, protocol_error.";
    talk::each_lane_keeps_its_order_when_lanes_are_mixed
        "Sends large packets on lane B among small ones on lane C without waiting for any of them.";
    talk::each_end_can_name_the_other
        "Both ends of a connection have a text for people about the other end.";
    pressure::a_slow_reader_holds_the_writer_back
        "Sends until nothing is taken: not too much is, and all of it arrives once it is read.";
    pressure::a_full_direction_leaves_the_other_open
        "Fills one direction that nobody reads: packets the other way still arrive.";
    pressure::a_writer_that_waits_is_woken
        "Waits for poll_ready, poll_flush and poll_close, each with a second waker: reading wakes that.";
    pressure::a_reader_that_waits_is_woken
        "Waits for a packet, for an orderly end and for a cut, each with a second waker.";
    pressure::what_was_flushed_arrives_though_the_sender_rests
        "Flushes, and polls the sender no more: all of it arrives.";
    pressure::after_an_error_a_sender_is_of_no_more_use
        "Cuts a connection: once its sender has said so, it never says anything else.";
    ends::an_abrupt_end_is_a_reset
        "Drops one end, and another time the other: its peer reads transport_reset.";
    ends::a_sender_that_is_dropped_cuts_the_connection
        "Drops one half: the peer reads transport_reset, and the half that is left reads an end.";
    ends::a_receiver_that_is_dropped_cuts_the_connection
        "Drops one half: the peer reads transport_reset, and the half that is left can send no more.";
    ends::a_cut_leaves_what_had_arrived_and_is_a_reset
        "Cuts a connection full of packets: some of the first arrive, in order, then transport_reset.";
    ends::an_orderly_end_comes_behind_what_was_sent
        "Sends, closes, drops both halves: all arrives, and then closed_by_peer.";
    ends::an_orderly_end_waits_for_a_peer_that_reads_late
        "The same with more than the network holds, and a peer that reads only after a while.";
    ends::after_its_own_end_it_still_receives
        "One end closes while the other sends on and on: all arrives, both ways, then closed_by_peer.";
    ends::both_may_end_at_the_same_time
        "Both ends send and close at once: all arrives, both ways, then closed_by_peer.";
    ends::a_closed_sender_takes_no_more
        "Closes: poll_ready says no from then on, and closing again is no error.";
    opening::a_dial_to_nothing_is_refused
        "Dials where somebody listened until a moment ago: connect_refused.";
    opening::a_dial_can_be_cancelled_at_any_time
        "Drops a dial after each number of polls: what came of it ends, and a whole one works.";
    opening::a_dial_that_nobody_answers_can_be_given_up
        "Dials a socket that says nothing: it waits as long as it is let, and its socket goes with it.";
    opening::an_accept_that_is_cancelled_loses_nobody
        "Drops accepts while 20 dial: all of them are accepted in the end.";
    opening::a_listener_that_is_dropped_ends_the_dials_under_way
        "Drops a listener while 10 dial, at once and after the first: none of the others stays open.";
    opening::connections_outlive_their_listener
        "Drops a listener: its connection goes on, nobody else is let in, and the address is free.";
    opening::an_address_is_listened_on_once
        "Listens again where somebody listens: in use. The first one goes on.";
    opening::the_address_that_is_told_can_be_dialled
        "The scheme is one that is served, port 0 has become a real one, and a dial arrives.";
    crowd::many_connections_are_open_at_once
        "1,000 (or as many as was said) at a time: each echoes its own packets and ends in order.";
    crowd::a_connection_that_stands_still_holds_up_no_other
        "Fills a connection that nobody reads: another of the same listener goes on.";
    crowd::an_idle_connection_stays
        "Leaves a connection alone for a while: it still works, both ways.";
    garbage::garbage_at_the_port_disturbs_nobody
        "Strangers say what is no handshake, half of one, or nothing: none is let in, others go on.";
    garbage::whoever_is_silent_keeps_nobody_waiting
        "50 connect and say nothing: a dial behind them is accepted.";
}
