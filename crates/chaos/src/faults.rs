//! What can be done to bytes, as values.

use std::fmt;
use std::num::NonZeroU64;
use std::time::Duration;

/// Which way bytes go.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Way {
    /// From whoever has connected to the target.
    ToTarget,
    /// From the target back.
    Back,
}

impl Way {
    /// Both.
    pub const ALL: [Self; 2] = [Self::ToTarget, Self::Back];

    /// Its place in arrays of both.
    pub(crate) const fn index(self) -> usize {
        self as usize
    }

    /// The other one.
    pub(crate) const fn other(self) -> Self {
        match self {
            Self::ToTarget => Self::Back,
            Self::Back => Self::ToTarget,
        }
    }
}

/// One way, or both.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Ways {
    /// Both.
    #[default]
    Both,
    /// Only to the target.
    ToTarget,
    /// Only back.
    Back,
}

impl Ways {
    /// Whether this way is meant.
    ///
    /// ```
    /// use moorline_chaos::{Way, Ways};
    ///
    /// assert!(Ways::Both.has(Way::Back));
    /// assert!(!Ways::ToTarget.has(Way::Back));
    /// ```
    #[must_use]
    pub const fn has(self, way: Way) -> bool {
        matches!(
            (self, way),
            (Self::Both, _) | (Self::ToTarget, Way::ToTarget) | (Self::Back, Way::Back)
        )
    }
}

/// A share of pieces or datagrams, in millionths: from none to all of them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Share(u32);

impl Share {
    /// Nothing of it.
    pub const NONE: Self = Self(0);
    /// All of it.
    pub const ALL: Self = Self(1_000_000);

    /// So many millionths; `None` above a million.
    ///
    /// ```
    /// use moorline_chaos::Share;
    ///
    /// let percent = Share::from_ppm(10_000).unwrap();
    /// assert_eq!(percent.ppm(), 10_000);
    /// assert_eq!(Share::from_ppm(1_000_001), None);
    /// ```
    #[must_use]
    pub const fn from_ppm(ppm: u32) -> Option<Self> {
        if ppm <= Self::ALL.0 { Some(Self(ppm)) } else { None }
    }

    /// In millionths.
    #[must_use]
    pub const fn ppm(self) -> u32 {
        self.0
    }
}

impl fmt::Debug for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", f64::from(self.0) / 10_000.0)
    }
}

/// What happens to what goes one way. Nothing, unless it is set.
///
/// ```
/// use moorline_chaos::{Faults, Share};
/// use std::time::Duration;
///
/// let satellite = Faults {
///     latency: Duration::from_millis(300),
///     jitter: Duration::from_millis(20),
///     loss: Share::from_ppm(5_000).unwrap(),
///     ..Faults::NONE
/// };
/// assert_ne!(satellite, Faults::NONE);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Faults {
    /// Everything arrives so much later. Opening a connection is not delayed: the operating system has
    /// answered it before this proxy knows of it.
    pub latency: Duration,
    /// Up to so much is added to the latency, evenly, for each piece or datagram. The order of a stream
    /// stays as it was; datagrams may overtake each other.
    pub jitter: Duration,
    /// How much is lost.
    ///
    /// A datagram that is lost is gone. A stream of bytes never lacks a piece: where a segment is lost, the
    /// sender's system sends it again after a retransmission timeout, and what is behind it waits. So a
    /// lost piece stands still for 200 ms and twice the latency of its way, and twice as long each time it
    /// is lost again: at most eight times, which is less than a minute without latency. That is the unkind
    /// case: real systems notice the loss sooner if more segments follow.
    pub loss: Share,
    /// Bytes in a second, over all connections together; without a limit if there is none.
    pub bandwidth: Option<NonZeroU64>,
    /// In how many pieces or datagrams one bit is flipped.
    pub corrupt: Share,
    /// How many datagrams are held back until one of their flow that came later has passed, for 100 ms at most;
    /// one at a time. Streams of bytes have no order to lose.
    pub reorder: Share,
    /// How many datagrams pass twice. Of streams of bytes nothing does.
    pub duplicate: Share,
}

impl Faults {
    /// Everything passes as it comes.
    pub const NONE: Self = Self {
        latency: Duration::ZERO,
        jitter: Duration::ZERO,
        loss: Share::NONE,
        bandwidth: None,
        corrupt: Share::NONE,
        reorder: Share::NONE,
        duplicate: Share::NONE,
    };
}

/// Which faults are to change, and to what. What is `None` stays as it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Patch {
    /// See [`Faults::latency`].
    pub latency: Option<Duration>,
    /// See [`Faults::jitter`].
    pub jitter: Option<Duration>,
    /// See [`Faults::loss`].
    pub loss: Option<Share>,
    /// See [`Faults::bandwidth`]; `Some(None)` takes the limit away.
    pub bandwidth: Option<Option<NonZeroU64>>,
    /// See [`Faults::corrupt`].
    pub corrupt: Option<Share>,
    /// See [`Faults::reorder`].
    pub reorder: Option<Share>,
    /// See [`Faults::duplicate`].
    pub duplicate: Option<Share>,
}

impl Patch {
    /// These faults with what is to change.
    ///
    /// ```
    /// use moorline_chaos::{Faults, Patch};
    /// use std::time::Duration;
    ///
    /// let slower = Patch { latency: Some(Duration::from_millis(80)), ..Patch::default() };
    /// assert_eq!(slower.on(Faults::NONE).latency, Duration::from_millis(80));
    /// assert_eq!(Patch::default().on(Faults::NONE), Faults::NONE);
    /// ```
    #[must_use]
    pub fn on(self, faults: Faults) -> Faults {
        Faults {
            latency: self.latency.unwrap_or(faults.latency),
            jitter: self.jitter.unwrap_or(faults.jitter),
            loss: self.loss.unwrap_or(faults.loss),
            bandwidth: self.bandwidth.unwrap_or(faults.bandwidth),
            corrupt: self.corrupt.unwrap_or(faults.corrupt),
            reorder: self.reorder.unwrap_or(faults.reorder),
            duplicate: self.duplicate.unwrap_or(faults.duplicate),
        }
    }
}

/// What is to happen now.
///
/// What waits inside when a change is made is treated as if it had just come: where latency ends, it
/// passes at once.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Change {
    /// Sets faults of these ways.
    Set {
        /// Of which ways.
        ways: Ways,
        /// Which, and to what.
        patch: Patch,
    },
    /// Ends every connection as a process that ends does, and lets the system refuse new ones. Datagrams are
    /// dropped without a word, and flows begin anew afterwards, from other ports.
    Cut,
    /// Resets every connection at both ends (RST). New ones work. Flows of datagrams go on from another
    /// port, as behind a router that has forgotten them.
    Reset,
    /// Swallows what goes these ways, and leaves sockets open: half-open connections if both are meant, a
    /// network that works in one direction if one is. That a connection ends is swallowed too. A connection
    /// that was open when this began stays so for good, also when it is healed: what it has lost
    /// would be missing in the midst of its bytes. A new one is taken and not passed on to the target: it
    /// stays silent for good too, until its client ends it.
    /// Datagrams are dropped; later ones pass when it is healed.
    ///
    /// The system acknowledges what is swallowed: keepalive of TCP sees nothing of it.
    Silence(Ways),
    /// Ends a cut and a silence, and sets the faults to those of the beginning.
    Heal,
}

#[cfg(test)]
mod tests;
