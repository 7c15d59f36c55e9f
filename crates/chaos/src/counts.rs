//! What was done, in numbers.

/// What happened on one way.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct WayCounts {
    /// Bytes that came out at the end.
    pub bytes: u64,
    /// Pieces of streams, or datagrams, that came in.
    pub pieces: u64,
    /// Bytes that were swallowed: in a silence, or as datagrams in a cut.
    pub swallowed: u64,
    /// Times a piece of a stream was lost, and stood still for it.
    pub stalls: u64,
    /// Datagrams that were lost.
    pub lost: u64,
    /// Datagrams that were dropped because too many waited.
    pub overflowed: u64,
    /// Pieces or datagrams with a flipped bit.
    pub corrupted: u64,
    /// Datagrams that passed twice.
    pub duplicated: u64,
    /// Datagrams that were held back for the next one.
    pub reordered: u64,
}

impl WayCounts {
    fn add(&mut self, other: &Self) {
        // Named one by one: a new one is not forgotten.
        let Self {
            bytes,
            pieces,
            swallowed,
            stalls,
            lost,
            overflowed,
            corrupted,
            duplicated,
            reordered,
        } = other;
        self.bytes += bytes;
        self.pieces += pieces;
        self.swallowed += swallowed;
        self.stalls += stalls;
        self.lost += lost;
        self.overflowed += overflowed;
        self.corrupted += corrupted;
        self.duplicated += duplicated;
        self.reordered += reordered;
    }
}

/// What happened to one connection or flow, or to all of them.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Counts {
    /// On the way to the target.
    pub to_target: WayCounts,
    /// On the way back.
    pub back: WayCounts,
}

impl Counts {
    pub(crate) fn way(&mut self, way: crate::Way) -> &mut WayCounts {
        match way {
            crate::Way::ToTarget => &mut self.to_target,
            crate::Way::Back => &mut self.back,
        }
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.to_target.add(&other.to_target);
        self.back.add(&other.back);
    }
}
