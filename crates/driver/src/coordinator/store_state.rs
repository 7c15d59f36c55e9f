//! Whether the store does its work, for readiness and for people.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use moorline_store::StoreError;

/// What a coordinator's store does. While it does not work nothing new is acknowledged, workers keep
/// their connections and their leases, and the same operations are tried again.
///
/// ```
/// use moorline_driver::StoreState;
///
/// assert!(StoreState::Works.works());
/// assert!(!StoreState::Stalled.works());
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub enum StoreState {
    /// It commits.
    #[default]
    Works,
    /// A commit takes longer than 2 s.
    Stalled,
    /// Commits fail; the same is tried again until it works.
    Fails(StoreError),
    /// It cannot be used any more: the coordinator ends.
    Broken(StoreError),
}

impl StoreState {
    /// It commits.
    #[must_use]
    pub fn works(&self) -> bool {
        *self == Self::Works
    }

    /// Why it does not commit, if it says why.
    #[must_use]
    pub fn error(&self) -> Option<&StoreError> {
        match self {
            Self::Works | Self::Stalled => None,
            Self::Fails(error) | Self::Broken(error) => Some(error),
        }
    }
}

/// The state, as the store's thread and the loop see it.
#[derive(Clone, Default)]
pub(crate) struct SharedState(Arc<Mutex<StoreState>>);

impl SharedState {
    pub(crate) fn get(&self) -> StoreState {
        self.lock().clone()
    }

    /// A commit failed.
    pub(crate) fn fails(&self, error: &StoreError) {
        *self.lock() = StoreState::Fails(error.clone());
    }

    /// It is of no use any more, whatever else it was.
    pub(crate) fn breaks(&self, error: &StoreError) {
        *self.lock() = StoreState::Broken(error.clone());
    }

    /// A commit succeeded.
    pub(crate) fn works(&self) {
        *self.lock() = StoreState::Works;
    }

    /// A commit is not answered. Returns whether that is news: one that fails is tried again instead.
    pub(crate) fn stalls(&self) -> bool {
        let mut state = self.lock();
        let is_news = state.works();
        if is_news {
            *state = StoreState::Stalled;
        }
        is_news
    }

    // A panic cannot happen under this lock, so a poisoned one holds a whole value.
    fn lock(&self) -> MutexGuard<'_, StoreState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
