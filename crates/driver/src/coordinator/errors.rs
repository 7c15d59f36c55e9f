//! What can go wrong between a coordinator and those who hold its handle.

use moorline_store::StoreError;
use moorline_transport::ListenError;

/// A coordinator did not start.
///
/// ```
/// use moorline_driver::StartError;
///
/// fn may_be_tried_elsewhere(error: &StartError) -> bool {
///     matches!(error, StartError::Listen(_))
/// }
/// # let _ = may_be_tried_elsewhere;
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// An endpoint could not be listened on.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// The store gave no epoch or no reader.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The system has no thread for it.
    #[error("cannot start a thread: {0}")]
    Thread(std::io::Error),
}

/// The coordinator has stopped.
///
/// ```
/// # async fn example(coordinator: &moorline_driver::CoordinatorHandle, task: moorline_work::TaskId) {
/// use moorline_driver::{ReadError, Stopped};
///
/// if let Err(ReadError::Stopped(stopped)) = coordinator.ended(task).await {
///     let why: Stopped = stopped;
///     println!("{why}");
/// }
/// # }
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the coordinator has stopped")]
pub struct Stopped;

/// A read was not answered.
///
/// ```
/// use moorline_driver::ReadError;
///
/// assert_eq!(ReadError::Busy.to_string(), "too many reads are waiting");
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// No such task.
    #[error("no such task")]
    NoSuchTask,
    /// Too many reads wait: come back later.
    #[error("too many reads are waiting")]
    Busy,
    /// The coordinator has stopped.
    #[error(transparent)]
    Stopped(#[from] Stopped),
}
