//! Durable conditional operations for moorline.

mod store;

pub use store::{
    Counts, Reader, Retention, Store, StoreError, TaskFilter, TaskRecord, WallTime,
};
