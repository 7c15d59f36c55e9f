//! Durable conditional operations for moorline: in memory and on SQLite.
//!
//! A coordinator decides in memory and makes durable what it decided before anybody is told. What
//! must become durable reaches a store as a batch of [`Persist`](moorline_node::Persist) operations;
//! each has a condition (*lease if queued*, *finish if not ended*), and the answer to each says what
//! it read and whether its condition held. A batch is one transaction: all of it survives any crash,
//! or none of it happened.
//!
//! | | |
//! | --- | --- |
//! | [`Store`] | the one writer: epochs, batches, pruning; blocking, lives on a thread of its own |
//! | [`Reader`] | lists and single tasks, independent of the writer |
//! | [`SqliteStore`] | one file, survives crashes of the process and of the machine |
//! | [`MemoryStore`] | forgets with its process, answers in the same way |
//! | [`TaskRecord`], [`TaskFilter`], [`Counts`] | what is read |
//! | [`Size`] | how much there is, at no cost: for metrics |
//! | [`EventQuery`], [`EventPage`], [`EventRecord`] | everything that happened |
//! | [`Retention`], [`Pruned`] | how long finished tasks, events and workers that are gone are kept |
//! | [`Journal`], [`SqliteJournal`], [`MemoryJournal`] | the results of a worker that are not answered yet |
//! | [`StoreError`] | a store failed: nothing of the batch happened |
//!
//! The conditions themselves are written at [`moorline_work::Op`].
//!
//! ```
//! use bytes::Bytes;
//! use moorline_node::{Name, Persist, PersistId, Spec, StoreOp, StorePlacement};
//! use moorline_store::{MemoryStore, Store, TaskFilter, WallTime};
//! use moorline_work::{TaskId, TaskState};
//!
//! let mut store = MemoryStore::new(); // or SqliteStore::open("moorline.db")?
//! let now = WallTime(1_700_000_000_000);
//! store.begin_epoch(now)?;
//!
//! let spec = Spec { handler: Name::new("resize")?, priority: 0, max_retries: 0, timeout: None };
//! let submit = StoreOp::Submit {
//!     task: TaskId(7),
//!     spec,
//!     payload: Bytes::from_static(b"cat.png"),
//!     placement: StorePlacement::Unclaimed,
//! };
//! let batch = [Persist { id: PersistId(1), op: submit }];
//! assert!(store.commit(now, &batch)?[0].conflict.is_none());
//! assert!(store.commit(now, &batch)?[0].conflict.is_some(), "it exists now");
//!
//! let listed = store.reader()?.tasks(&TaskFilter::default())?;
//! assert_eq!(listed[0].state, TaskState::Queued);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod database;
mod event;
mod journal;
mod lock;
mod memory;
mod rule;
mod sqlite;
mod store;

pub use event::{EventKinds, EventPage, EventQuery, EventRecord};
pub use journal::memory::MemoryJournal;
pub use journal::sqlite::SqliteJournal;
pub use journal::{Journal, JournalSize};
pub use memory::MemoryStore;
pub use sqlite::SqliteStore;
pub use store::{
    Counts, Pruned, Reader, Retention, Size, Store, StoreError, TaskFilter, TaskRecord, WallTime,
};
