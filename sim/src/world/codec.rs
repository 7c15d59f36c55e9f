//! SAFE-12: what is decoded is what was encoded.

use std::fmt::Debug;
use std::time::Duration;

use bytes::Bytes;
use moorline_link::{ComeBack, Dismissal};
use moorline_node::{DownFrame, Packet, ToWorker, UpFrame};

use super::World;
use crate::Rule;

/// Times travel as whole microseconds, rounded up.
fn travelled(duration: Duration) -> Duration {
    let micros = duration.as_nanos().div_ceil(1_000);
    Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX))
}

fn dismissed(dismissal: &mut Dismissal) {
    match &mut dismissal.come_back {
        ComeBack::After(after) | ComeBack::Slot { after, .. } => *after = travelled(*after),
        ComeBack::ByReason | ComeBack::Never => {}
    }
}

/// What becomes of a frame on its way.
fn up(mut frame: UpFrame, decoded: &UpFrame) -> UpFrame {
    if let (UpFrame::Hello { head, .. }, UpFrame::Hello { head: heard, .. }) = (&mut frame, decoded)
    {
        head.beat_interval = travelled(head.beat_interval);
        // A name travels as text, and its number stays at home.
        head.name = heard.name;
    }
    frame
}

/// The same the other way.
fn down(mut frame: DownFrame) -> DownFrame {
    match &mut frame {
        DownFrame::Welcome { head, .. } => {
            head.beat_interval = travelled(head.beat_interval);
            head.first_window = head.first_window.map(travelled);
            head.lost_after = travelled(head.lost_after);
        }
        DownFrame::BeatAnswer(answer) => {
            answer.first_window = answer.first_window.map(travelled);
            answer.beat_interval = answer.beat_interval.map(travelled);
        }
        DownFrame::Refused { dismissal, .. } | DownFrame::GoAway { dismissal, .. } => {
            dismissed(dismissal);
        }
        DownFrame::Message(message) => {
            if let ToWorker::Assign { timeout, .. } = &mut message.head {
                *timeout = timeout.map(travelled);
            }
        }
        DownFrame::InventoryAnswer { .. }
        | DownFrame::Active
        | DownFrame::Probe
        | DownFrame::Ack(_)
        | DownFrame::Part(_)
        | DownFrame::Endpoints(_)
        | DownFrame::Redirect(_) => {}
    }
    frame
}

impl World {
    /// A worker's packet says the same once it is decoded.
    pub(super) fn unless_decoded_up(&mut self, packet: &Packet<UpFrame>, bytes: &Bytes) {
        if !self.watch.decodes {
            return;
        }
        match moorline_wire::decode_up(bytes.clone()) {
            Ok(decoded) => {
                let both = packet.frames.iter().zip(&decoded.frames);
                let said: Vec<UpFrame> =
                    both.map(|(said, heard)| up(said.clone(), heard)).collect();
                self.unless_same(packet.frames.len(), &said, &decoded.frames);
            }
            Err(error) => self.break_always(Rule::Wire, format!("{packet:?}: {error}")),
        }
    }

    /// The same of the coordinator's packets.
    pub(super) fn unless_decoded_down(&mut self, packet: &Packet<DownFrame>, bytes: &Bytes) {
        if !self.watch.decodes {
            return;
        }
        match moorline_wire::decode_down(bytes.clone()) {
            Ok(decoded) => {
                let said: Vec<DownFrame> = packet.frames.iter().cloned().map(down).collect();
                self.unless_same(packet.frames.len(), &said, &decoded.frames);
            }
            Err(error) => self.break_always(Rule::Wire, format!("{packet:?}: {error}")),
        }
    }

    fn unless_same<F: PartialEq + Debug>(&mut self, count: usize, said: &[F], heard: &[F]) {
        if count != heard.len() || said != heard {
            self.break_always(Rule::Wire, format!("{said:?} is decoded as {heard:?}"));
        }
    }
}
