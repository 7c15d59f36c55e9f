//! The admin API of a coordinator that nobody connects to, for the fuzz target `admin_request`.

use std::sync::Arc;

use axum::Router;
use moorline_driver::{
    CoordinatorHandle, CoordinatorOptions, StartError, Tokio, Transports, start_coordinator,
};
use moorline_store::MemoryStore;

use super::router;
use crate::health::{CoordinatorSubject, Limits};

/// A coordinator without listeners and with a store in memory, and its admin API, on the runtime of tokio in
/// which this is called.
#[doc(hidden)]
pub async fn admin_of_nobody() -> Result<(CoordinatorHandle, Router), StartError> {
    let (store, options) = (Box::new(MemoryStore::new()), CoordinatorOptions::new());
    let driver = start_coordinator(Tokio, Transports::new(), store, options).await?;
    let subject = CoordinatorSubject::new(driver.clone(), false, Limits::default());
    Ok((driver.clone(), router((driver, subject, Arc::default()))))
}
