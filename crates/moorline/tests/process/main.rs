//! Real processes on loopback: coordinators and workers are spawned, killed, frozen and cut off, and
//! what they promise is read from their logs and their admin API. Timings are shortened; everything
//! waits for conditions.
#![cfg(unix)]
#![allow(clippy::print_stderr, reason = "a test that fails says what its processes said")]

mod admission;
mod agents;
mod bench;
mod cert;
#[cfg(feature = "chaos")]
mod chaos_proxy;
mod commands;
mod configuration;
mod conformance;
mod exits;
mod experience;
mod explain;
mod faults;
#[cfg(target_os = "linux")]
mod gauge;
mod health;
#[cfg(target_os = "linux")]
mod hostile;
mod identity;
mod journal;
mod leaving;
mod logs;
mod metrics;
#[cfg(target_os = "linux")]
mod netns;
mod proxy;
mod reach;
mod reconnect;
mod redirect;
mod refused;
mod rig;
mod runtime;
mod runtimes;
mod siege;
#[cfg(feature = "sim")]
mod sim;
mod slow;
mod steering;
mod store;
#[cfg(target_os = "linux")]
mod stranger;
mod surface;
mod transcripts;
mod wire;
