//! What the dispatcher does, told as timelines: each test is named as the sentence it proves.

mod answers;
mod at_once;
mod behind;
mod bench;
mod delivery;
mod inventory;
mod leases;
mod queue;
mod retry;
mod returning;
mod shown;
mod slots;
#[path = "../dispatcher_model/store.rs"]
mod store;
