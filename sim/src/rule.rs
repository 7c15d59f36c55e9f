//! The rules by which promises are checked: finer than the promises, one for each thing to look at.

use crate::Invariant;

macro_rules! rules {
    ($($name:ident $invariant:ident $meaning:literal;)*) => {
        /// One way to break a promise.
        ///
        /// ```
        /// use moorline_sim::{Invariant, Rule};
        ///
        /// assert_eq!(Rule::LostEarly.invariant(), Invariant::NoFalseDeath);
        /// ```
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub enum Rule { $(#[doc = $meaning] $name,)* }

        impl Rule {
            /// Every one.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The promise that is broken.
            #[must_use]
            pub const fn invariant(self) -> Invariant {
                match self { $(Self::$name => Invariant::$invariant),* }
            }

            /// What happened, in one line.
            #[must_use]
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$name => $meaning),* }
            }
        }
    };
}

rules! {
    AppliedTwice CompletedOnce "A task ended twice, or its end was reported twice.";
    ResultInvented ResultsAreMade "A result that no handler of that task made.";
    TaskLost NothingLost "A task that was acknowledged is not there any more, or its end is not what was said.";
    Client NothingLost "A client was answered what cannot be.";
    KeptLost NothingLost "A result that a worker's journal keeps was forgotten before it was answered, or is never offered.";
    StartedTwice StartedOnce "One process started one attempt twice.";
    AnsweredWrongly Fenced "A result was answered before that was durable, or a success was turned away.";
    EndedWrongly Fenced "A task ended or changed in a way that nobody asked for or came to: failed without a failure or with retries left, dead before its cap, cancelled by nobody, by an attempt that is not current.";
    TwoSessions OneSession "A session goes on or begins where another one stands, or is talked to on another connection.";
    Unproven OneSession "A worker was welcomed, or asked about, that has not shown what it was given to show.";
    SaidTooEarly OnlyWhenReady "Something was said before the other side may hear it.";
    GivenWrongly OnlyWhenReady "A worker was given a task that drains, is not active, or has no slot left.";
    TooManyAtOnce OnlyWhenReady "A worker ran more at once than it has slots.";
    OutOfStep OnlyWhenReady "Both sides gave a connection up because they disagreed about what the worker can take.";
    RanTwice NoFalseDeath "A task was given to a second process while the first could still hold it.";
    GivenUpEarly NoFalseDeath "A worker gave its coordinator up before that was silent for long enough.";
    LostEarly NoFalseDeath "A worker's work was given away, or its connection given up, before its time.";
    ShownWrongly NoFalseDeath "A worker is shown as one that is here, and was silent for too long.";
    NotCalm NoFalseDeath "Something other than work happened where nothing ever went wrong.";
    DialledWrongly BackoffKept "A worker dialled too early, too late, beside another dial, or by a number that is not the next.";
    Grown Bounded "Something holds more than it may, or anything when there is nothing to do.";
    Wire Decoded "A packet could not be read, or was too long, or one side says that the other broke the protocol.";
    Panic Decoded "The code panicked.";
    Spinning NoBusyLoop "A machine asks to be run again and again at the same instant.";
    SaidAfterEnd OrderlyEnd "Something was said after the last word, or on a connection that was closed.";
    LeftBehind OrderlyEnd "A drain ended before its time and left something behind.";
    Impure Pure "Two runs of one plan, or a machine and its copy, differ.";
    FiguresDiffer FiguresAgree "A machine or the store counts something else than what happened.";
    EventsDiffer FiguresAgree "The events of the store tell something else than what happened.";
    WentBack NeverBack "An epoch, an attempt or a number is not above the one before it.";
    NotBack AllActive "A worker is not active again in time.";
    GaveUp AllActive "A worker gave up for good.";
    NotEnded AllEnd "Something did not end although nothing went wrong any more.";
    Strayed NoStrayLease "A task is leased to a process that runs and does not know of it.";
    Flaps NoFlapping "Something other than work happened after everybody was back.";
    NotRerun DeadReplaced "A task is still leased to a process that is gone.";
    NotSilent Silent "More than heartbeats travelled although there was nothing to do.";
    Blocked NoBlocking "A task waits although somebody could run it.";
    Herd NoHerd "Too many workers dialled within a tenth of a second.";
}
