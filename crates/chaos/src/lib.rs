//! A proxy between real sockets that does to bytes what bad networks do, for tests and demonstrations.
//!
//! It listens on TCP, on UDP or on both, and passes on to one target. Each way (to the target, and back)
//! has its own [`Faults`]: latency, jitter, loss, bandwidth, flipped bits, and for datagrams another order
//! and duplicates. A [`Change`] sets them while connections are open, cuts everything off, resets, falls
//! silent, heals; a [`Timeline`] makes changes by itself.
//!
//! ```
//! use moorline_chaos::{Change, Faults, Patch, Proxy, Ways};
//! use std::time::Duration;
//!
//! # async fn example() -> std::io::Result<()> {
//! let slow = Faults { latency: Duration::from_millis(50), ..Faults::NONE };
//! let proxy = Proxy::to("127.0.0.1:8740")
//!     .seed(7)
//!     .faults(Ways::Both, slow)
//!     .tcp("127.0.0.1:0".parse().unwrap())
//!     .start()
//!     .await?;
//! println!("dial {:?}", proxy.tcp());
//! proxy.apply(Change::Cut).await?;
//! proxy.apply(Change::Heal).await?;
//! println!("{:?}", proxy.stop().await.total);
//! # Ok(())
//! # }
//! ```
//!
//! # What is the same each time, and what is not
//!
//! Every decision is drawn from the seed, the kind and the number of the connection, the way, and the number
//! of the piece or the datagram on that way: never from time, and never from what was drawn before. So the
//! third datagram of the second flow is lost, corrupted, doubled or held back in each run with the same seed
//! and the same faults, or in none, with two exceptions that depend on what is under way when it comes. One at
//! a time is held back: where another one still waits for the next, or none comes within 100 ms, the order
//! stays. And where too many wait ([Bounds](#bounds)), it is dropped, or does not pass twice.
//!
//! What sockets do is not the same each time: who connects first and so has which number; how many bytes
//! one read brings, and so where a stream of bytes is split into pieces (each read is split into pieces of at
//! most [`SEGMENT`] bytes); when a timer of the operating system fires; which pieces are already there when a
//! change is made. Who writes small messages and waits for each answer gets the same pieces each time.
//!
//! # Bounds
//!
//! At most 64 KiB and 256 pieces wait on each way of a TCP connection: what there is no room for is not read,
//! and the operating system holds its source up. At most 1 MiB and 1,024 datagrams wait on each way of a UDP
//! flow, also while its target is looked up: what comes then is dropped and counted. To look a target up, and
//! to dial it, takes 10 s at most. [`Builder::max_connections`] bounds connections and flows, and the addresses
//! of 1,024 flows that were not let in are kept. A proxy with nothing to do sleeps: but for flows, which are
//! forgotten after two quiet minutes, there is no timer while nothing waits for one.

mod counts;
mod datagrams;
mod dice;
mod faults;
mod lane;
mod line;
mod proxy;
mod route;
mod serve;
mod shared;
mod tcp;
mod timeline;
mod udp;

pub use counts::{Counts, WayCounts};
pub use faults::{Change, Faults, Patch, Share, Way, Ways};
pub use lane::SEGMENT;
pub use proxy::{Builder, Proxy};
pub use route::{Id, Kind, Member, Snapshot};
pub use shared::{Event, Fate, Origin};
pub use timeline::{Step, Timeline};
