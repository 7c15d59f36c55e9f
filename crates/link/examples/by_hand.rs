//! A worker's [`Link`] and a coordinator's [`Hub`], driven by hand: no sockets, no clock, no runtime.
//!
//! Time is a number here. A driver of your own does the same with sockets and a clock: it tells what
//! happened, does what it is asked for, writes what is due, and sleeps until the next wake.
#![allow(clippy::print_stdout, reason = "this is a program for people")]

use std::time::Duration;

use moorline_link::*;

struct World {
    now: Instant,
    link: Link,
    hub: Hub,
    /// The one connection there is, by the name the link gave it.
    conn: Option<ConnId>,
    up: bool,
}

impl World {
    fn act(&mut self, action: LinkAction) {
        if let LinkAction::Dial { conn, attempt, .. } = action {
            println!("{:?} dial {attempt}", self.now.since(Instant::ZERO));
            self.conn = self.up.then_some(conn);
            if self.up {
                self.hub.handle(self.now, HubInput::Accepted { conn });
                self.link.handle(self.now, LinkInput::Opened { conn });
            } else {
                let reason = Reason::ConnectRefused;
                self.link.handle(self.now, LinkInput::DialFailed { conn, reason });
            }
        } else if let LinkAction::Close { conn, reason } = action {
            self.conn = None;
            self.hub.handle(self.now, HubInput::Closed { conn, reason });
        } else if let LinkAction::TakeInventory { .. } = action {
            // Nothing runs here, so there is nothing to compare.
            self.link.handle(self.now, LinkInput::Inventory { items: 0 });
        } else if let LinkAction::Announce(Transition { from, to, reason }) = action {
            let at = self.now.since(Instant::ZERO);
            println!("{at:?} {from:?} to {to:?} {reason:?}");
        }
    }

    /// Carries a frame of each lane each way, if there is one; that takes no time here.
    fn carry(&mut self) -> bool {
        let (Some(conn), now, mut carried) = (self.conn, self.now, false) else { return false };
        for lane in Lane::ALL {
            if let Some(LinkTransmit::Frame(frame)) = self.link.poll_transmit(now, conn, lane) {
                self.hub.handle(now, HubInput::Frame { conn, frame });
                carried = true;
            }
            if let Some(HubTransmit::Frame(frame)) = self.hub.poll_transmit(now, conn, lane) {
                self.link.handle(now, LinkInput::Frame { conn, frame });
                carried = true;
            }
        }
        carried
    }

    /// Lets time pass, from one wake to the next; at each, does what both machines ask for.
    fn pass(&mut self, seconds: u64) {
        let until = self.now + Duration::from_secs(seconds);
        while self.now <= until {
            self.link.handle(self.now, LinkInput::Timeout);
            self.hub.handle(self.now, HubInput::Timeout);
            loop {
                if let Some(action) = self.link.poll_action() {
                    self.act(action);
                } else if self.hub.poll_action().is_none() && !self.carry() {
                    break;
                }
            }
            let wakes = [self.link.next_wake().deadline(), self.hub.next_wake().deadline()];
            let wake = wakes.into_iter().flatten().min().filter(|wake| *wake <= until);
            let Some(wake) = wake else { break };
            self.now = wake.max(self.now);
        }
        self.now = until;
    }
}

fn main() {
    let (now, versions) = (Instant::ZERO, Versions::SPOKEN);
    let (worker, incarnation, name) = (WorkerId(1), Incarnation(1), Sym(0));
    let me = Identity { worker, incarnation, name, versions, features: 0 };
    let link = Link::new(LinkConfig::default(), me, 42, now);
    let hub = Hub::new(HubConfig::default(), Epoch(1), 0, now);
    let mut world = World { now, link, hub, conn: None, up: true };
    world.pass(10);
    // The network is cut: the worker is told, the coordinator will miss its heartbeats.
    world.up = false;
    let (conn, reason) = (world.conn.take().unwrap_or(ConnId(0)), Reason::TransportReset);
    world.link.handle(world.now, LinkInput::Closed { conn, reason });
    world.pass(5);
    world.up = true;
    world.pass(10);
    world.link.handle(world.now, LinkInput::Stop { within: Duration::from_secs(1) });
    world.pass(2);
}
