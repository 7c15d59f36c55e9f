//! Workers that live and take nothing: they lose their connection, and what they were given.

mod support;

use std::pin::Pin;
use std::time::{Duration, Instant};

use futures::FutureExt;
use futures::future::poll_fn;
use moorline_driver::{CoordinatorHandle, Tokio, Transports, start_coordinator};
use moorline_link::{
    Beat, Credit, Flags, Hello, HubConfig, HubSettings, Incarnation, Lane, Reason, Seq, Sym,
    Versions, WorkerId,
};
use moorline_memory::MemoryTransport;
use moorline_node::{About, DownFrame, Packet, ToWorker, UpFrame};
use moorline_store::MemoryStore;
use moorline_transport::{Connection, Transport};
use moorline_work::TaskState;
use support::{Threads, ended, here, name, options, soon, submit, worker};

/// Long enough that nobody on a busy machine is cut off by mistake.
const ACK_TIMEOUT: Duration = Duration::from_secs(1);

/// A worker without lanes: it reads everything, beats, and acknowledges nothing.
struct Deaf {
    connection: Connection,
    beats: u32,
}

impl Deaf {
    async fn register(memory: &MemoryTransport) -> Self {
        let connection = memory.dial(&here()).await.expect("dialled");
        let mut deaf = Self { connection, beats: 0 };
        let endless = Credit { messages: Seq(u64::MAX >> 1), bytes: u64::MAX >> 1 };
        let head = Hello {
            versions: Versions::SPOKEN,
            features: 0,
            worker: WorkerId(1),
            incarnation: Incarnation(1),
            name: Sym(0),
            resume: None,
            credit: [endless; 2],
            beat_interval: Duration::from_millis(100),
            ticket: None,
            holds_work: false,
        };
        let handlers = vec![name("echo")];
        let about = About {
            name: name("deaf"),
            slots: 100,
            handlers,
            software: name("test"),
            credential: None,
        };
        deaf.say(vec![UpFrame::Hello { head, about }]);
        let welcome = soon(deaf.hear()).await.expect("an answer");
        assert!(matches!(welcome[0], DownFrame::Welcome { .. }), "{welcome:?}");
        deaf.say(vec![UpFrame::InventoryEnd { count: 0 }, UpFrame::Active]);
        while !soon(deaf.hear()).await.expect("it goes on").contains(&DownFrame::Active) {}
        deaf
    }

    async fn hear(&mut self) -> Result<Vec<DownFrame>, Reason> {
        let receiver = &mut self.connection.receiver;
        let packet = poll_fn(|cx| Pin::new(&mut **receiver).poll_receive(cx)).await?;
        Ok(moorline_wire::decode_down(packet).expect("a packet").frames)
    }

    fn say(&mut self, frames: Vec<UpFrame>) {
        let packet = moorline_wire::encode_up(&Packet { lane: Lane::C, frames });
        let sender = &mut self.connection.sender;
        let _ = Pin::new(&mut **sender).send(packet, Lane::C);
        let _ = poll_fn(|cx| Pin::new(&mut **sender).poll_flush(cx)).now_or_never();
    }

    fn beat(&mut self) {
        self.beats += 1;
        let flags = Flags { active: true, draining: false, paused: false };
        let (seq, free) = (self.beats, 100);
        self.say(vec![UpFrame::Beat(Beat { seq, flags, free, quiet: false, rtt_micros: 0 })]);
    }

    /// What it hears until its connection ends, when it was last heard of a task, and why it ends.
    async fn hear_to_the_end(&mut self) -> (usize, Option<Instant>, Option<Reason>) {
        let (mut assigned, mut last, mut told) = (0, None, None);
        loop {
            match tokio::time::timeout(Duration::from_millis(50), self.hear()).await {
                Err(_) => self.beat(),
                Ok(Err(_)) => return (assigned, last, told),
                Ok(Ok(frames)) => {
                    for frame in frames {
                        if let DownFrame::Message(message) = &frame
                            && let ToWorker::Assign { .. } = message.head
                        {
                            assigned += 1;
                            last = Some(Instant::now());
                        }
                        if let DownFrame::GoAway { dismissal, .. } = frame {
                            told = Some(dismissal.reason);
                        }
                    }
                }
            }
        }
    }
}

async fn start(memory: &MemoryTransport) -> CoordinatorHandle {
    let mut options = options();
    let settings = HubSettings { ack_timeout: ACK_TIMEOUT, ..*options.hub.settings() };
    options.hub = HubConfig::new(settings).expect("consistent");
    let transports = Transports::new().with(memory.clone());
    let store = Box::new(MemoryStore::new());
    start_coordinator(Tokio, transports, store, options).await.expect("started")
}

#[tokio::test]
async fn a_worker_that_acknowledges_nothing_is_cut_off_and_its_tasks_go_elsewhere() {
    let memory = MemoryTransport::new();
    let coordinator = start(&memory).await;
    let mut deaf = Deaf::register(&memory).await;
    for task in 1..=5 {
        submit(&coordinator, task, "echo", b"x").await;
    }
    let (assigned, last, told) = soon(deaf.hear_to_the_end()).await;
    assert_eq!((assigned, told), (5, Some(Reason::FlowStalled)));
    let patience = last.expect("it was given tasks").elapsed();
    assert!(patience >= ACK_TIMEOUT - Duration::from_millis(100), "only {patience:?}");

    // It comes back, with nothing, and is cut off again: its tasks are not its own for ever.
    let mut again = Deaf::register(&memory).await;
    let transports = Transports::new().with(memory.clone());
    let good = worker(&transports, 2, &Threads::echo(), 5);
    let end = again.hear_to_the_end();
    let work = async {
        for task in 1..=5 {
            assert_eq!(ended(&coordinator, task).await.state, TaskState::Succeeded);
        }
    };
    let ((_, _, told), ()) = soon(futures::future::join(end, work)).await;
    assert_eq!(told, Some(Reason::FlowStalled));
    assert_eq!(good.status().link.attempts, 1);
}
