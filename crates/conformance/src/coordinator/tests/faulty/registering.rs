//! Who such a coordinator lets in, and what it makes of an inventory.

use std::time::Duration;

use bytes::Bytes;
use moorline_link::{
    ComeBack, Dismissal, Epoch, Hello, Lane, Reason, Seq, SessionId, Versions, Welcome,
};
use moorline_node::{About, DownFrame, Name, Packet, Part};
use moorline_work::{Holding, TaskId, TaskKey};
use tokio::sync::oneshot;

use super::{Coordinator, Member, Order, Phase, Step, Violated, WINDOW};
use crate::lane::{Receiving, Sending};

pub(super) const EPOCH: Epoch = Epoch(7);

fn refused(reason: Reason) -> Step {
    Step::Refused(Dismissal { reason, come_back: ComeBack::ByReason })
}

impl Coordinator {
    pub(super) fn hello(&mut self, phase: &mut Phase, head: Hello, about: About) -> Step {
        let id = head.worker.0;
        if let Some((name, credential)) = &self.kind.door
            && (about.name != *name || about.credential.as_ref() != Some(credential))
        {
            return refused(Reason::AuthRejected);
        }
        let Some(version) = Versions::SPOKEN.agree(head.versions) else {
            let for_good = !self.breaks("a_version_that_is_not_spoken_is_refused_for_good");
            let come_back =
                if for_good { ComeBack::Never } else { ComeBack::After(Duration::from_secs(1)) };
            return Step::Refused(Dismissal { reason: Reason::VersionUnsupported, come_back });
        };
        debug_assert_eq!(version, 1);
        if self.superseded.contains(&(id, head.incarnation.0)) {
            return refused(Reason::Superseded);
        }
        let holds_name =
            |(other, member): (&u128, &Member)| *other != id && member.name == about.name;
        if self.members.iter().any(holds_name) && !self.breaks("a_name_in_use_is_refused") {
            return refused(Reason::NameConflict);
        }
        let asks = !self.breaks("another_process_is_refused_while_one_lives");
        let takes = !self.breaks("another_process_takes_the_place_of_one_that_is_gone");
        if let Some(member) = self.members.get_mut(&id)
            && member.incarnation != head.incarnation.0
        {
            match &member.connection {
                Some((_, orders)) if asks => {
                    orders.send(Order::Probe).ok();
                    let (beats, beaten) = oneshot::channel();
                    member.claims.push(beats);
                    return Step::Claims(beaten, Box::new((head, about)));
                }
                None if !takes => return refused(Reason::NameConflict),
                Some(_) | None => {}
            }
        }
        self.admit(phase, &head, about)
    }

    /// What comes of a claim.
    pub(super) fn claimed(
        &mut self,
        phase: &mut Phase,
        lives: bool,
        head: &Hello,
        about: About,
    ) -> Step {
        if !lives && !self.breaks("who is silent keeps its place") {
            return self.admit(phase, head, about);
        }
        if self.breaks("whoever answers a probe is sent away")
            && let Some((_, orders)) =
                self.members.get(&head.worker.0).and_then(|member| member.connection.as_ref())
        {
            orders.send(Order::Close(Reason::NameConflict)).ok();
        }
        refused(Reason::NameConflict)
    }

    fn admit(&mut self, phase: &mut Phase, head: &Hello, about: About) -> Step {
        let id = head.worker.0;
        let ignores_epochs = self.breaks("a_session_of_another_life_is_not_resumed");
        let keeps_first = self.breaks("a_second_connection_takes_the_session_over");
        let supersedes = !self.breaks("a_process_that_answers_no_probe_is_replaced");
        let begins_anew = self.breaks("a second connection begins anew");
        let mut resume = None;
        if let Some(member) = self.members.get_mut(&id) {
            let same = member.incarnation == head.incarnation.0;
            let forgets = begins_anew && member.connection.is_some();
            if let Some((_, orders)) = member.connection.take()
                && !(same && keeps_first)
            {
                let reason = if same { Reason::Moved } else { Reason::WorkerRestarted };
                orders.send(Order::Close(reason)).ok();
            }
            member.active = false;
            member.claims.clear();
            if same {
                resume = head.resume.filter(|shown| {
                    let (shown, held) = (shown.session, member.session);
                    !forgets && (shown == held || ignores_epochs && shown.n == held.n)
                });
            } else if supersedes {
                phase.displaces = Some(member.incarnation);
            }
        }
        let connection = Some((phase.id, phase.orders.clone()));
        phase.worker = Some(id);
        phase.is_new = resume.is_none();
        if let Some(shown) = resume {
            let lanes = Lane::ALL.map(|lane| self.as_sent(lane, shown.lanes[lane.index()]));
            let again = [
                !self.breaks("what_was_not_received_is_said_again"),
                !self.breaks("an_assignment_outlives_its_connection"),
            ];
            let Some(member) = self.members.get_mut(&id) else { return Step::Left };
            member.connection = connection;
            for at in Lane::ALL.map(Lane::index) {
                if member.down[at].acknowledge(lanes[at]).is_err() {
                    return Step::Away(Reason::ProtocolError);
                }
                if again[at] {
                    member.down[at].resume();
                }
                member.up[at].connected();
            }
        } else {
            self.sessions += 1;
            let session = SessionId { epoch: EPOCH, n: self.sessions };
            let down =
                Lane::ALL.map(|lane| Sending::new(self.as_given(lane, head.credit[lane.index()])));
            let member = Member {
                incarnation: head.incarnation.0,
                name: about.name,
                slots: about.slots,
                handlers: about.handlers,
                session,
                up: [Receiving::new(WINDOW), Receiving::new(WINDOW)],
                down,
                connection,
                active: false,
                claims: Vec::new(),
            };
            self.members.insert(id, member);
        }
        self.welcome(phase, head);
        Step::On
    }

    fn welcome(&self, phase: &mut Phase, head: &Hello) {
        let Some(member) = phase.worker.and_then(|id| self.members.get(&id)) else { return };
        let mut lanes = [member.up[0].standing(), member.up[1].standing()];
        if self.breaks("a_session_is_resumed_where_it_stood") {
            lanes[Lane::B.index()].received.0 = 0;
        }
        if phase.is_new && self.breaks("a new session has lanes that are not empty") {
            lanes[Lane::C.index()].received.0 = 5;
        }
        let (many, max) = (head.versions.min < head.versions.max, head.versions.max);
        let outside = many && self.breaks("a_range_of_versions_is_answered_with_one_of_them");
        let agrees = self.breaks("a_feature_that_was_not_offered_is_not_agreed_on");
        let beat_interval = Duration::from_secs(5);
        let loses_at_once = self.breaks("a_hello_is_answered_with_a_welcome");
        let head = Welcome {
            version: if outside { max + 1 } else { 1 },
            features: u64::from(agrees),
            session: member.session,
            resumed: !phase.is_new,
            lanes,
            beat_interval,
            first_window: None,
            lost_after: if loses_at_once { beat_interval } else { Duration::from_secs(90) },
        };
        let software = Name::new("faulty 1").expect("a name");
        phase.say(DownFrame::Welcome { head, software });
    }

    pub(super) fn item(
        &mut self,
        phase: &mut Phase,
        index: u32,
        key: TaskKey,
        holding: Holding,
    ) -> Result<(), Violated> {
        if phase.has_ended || index != phase.items {
            return Err(Violated);
        }
        phase.items += 1;
        phase.listed.insert(key);
        let judgement = self.judge(phase.worker, key, holding);
        let mistakes = index == 1 && self.breaks("an item is answered under another key");
        let key = if mistakes { TaskKey { task: TaskId(0), ..key } } else { key };
        let answer = DownFrame::InventoryAnswer { index, key, judgement };
        if index == 0 && self.breaks("each_item_of_the_inventory_is_answered_once") {
            phase.say(answer.clone());
        }
        phase.say(answer);
        Ok(())
    }

    pub(super) fn inventory_end(&mut self, phase: &mut Phase, count: u32) -> Result<(), Violated> {
        let miscounts = self.breaks("an_inventory_that_is_miscounted_ends_the_connection");
        if phase.has_ended || count != phase.items && !miscounts {
            return Err(Violated);
        }
        phase.has_ended = true;
        if let Some(id) = phase.worker.filter(|_| phase.is_new) {
            self.give_up(id, &phase.listed);
        }
        if self.breaks("active_is_answered") {
            phase.say(DownFrame::Active);
        }
        Ok(())
    }

    pub(super) fn active(&mut self, phase: &mut Phase) -> Result<(), Violated> {
        if !phase.has_ended || phase.active {
            return Err(Violated);
        }
        phase.active = true;
        if let Some(member) = phase.worker.and_then(|id| self.members.get_mut(&id)) {
            member.active = true;
        }
        if !self.breaks("active_is_answered") {
            phase.say(DownFrame::Active);
        }
        if self.breaks("packets_are_as_the_schema_says") {
            phase.out.push((crate::raw::garbage(), Lane::C));
        }
        if self.breaks("a part comes of a message that never began") {
            let bytes = Bytes::from_static(b"more");
            let part = DownFrame::Part(Part { seq: Seq(1), offset: 7, bytes });
            phase.packet(&Packet { lane: Lane::B, frames: vec![part] });
        }
        if self.breaks("places are told to who did not ask") {
            phase.say(DownFrame::Endpoints(Vec::new()));
        }
        Ok(())
    }
}
