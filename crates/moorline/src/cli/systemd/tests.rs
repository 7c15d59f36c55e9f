use std::sync::Mutex;

use futures::FutureExt;
use futures::future::BoxFuture;

use super::*;
use crate::health::{Glance, Limits, Report};
use crate::metrics::Page;

/// Is as the test says.
struct Stage(Mutex<(Glance, Life)>);

impl Stage {
    fn new() -> Self {
        let glance = Glance { started: false, stopping: false, summary: "starting".into() };
        Self(Mutex::new((glance, turning(0))))
    }

    fn set(&self, change: impl FnOnce(&mut Glance, &mut Life)) {
        let mut stage = self.0.lock().unwrap();
        let (glance, life) = &mut *stage;
        change(glance, life);
    }
}

fn turning(seconds: u64) -> Life {
    Life::Turning { turns: 1, age: Duration::from_secs(seconds) }
}

impl Subject for Stage {
    fn limits(&self) -> Limits {
        Limits::default()
    }
    fn life(&self) -> Life {
        self.0.lock().unwrap().1
    }
    fn glance(&self) -> Glance {
        self.0.lock().unwrap().0.clone()
    }
    fn report(&self) -> BoxFuture<'_, Report> {
        std::future::pending().boxed()
    }
    fn measure<'a>(&'a self, _page: &'a mut Page) -> BoxFuture<'a, ()> {
        std::future::pending().boxed()
    }
}

#[test]
fn each_change_is_told_once() {
    let (stage, mut told, now) = (Stage::new(), Told::new(None), Instant::now());
    assert_eq!(told.news(now, &stage).unwrap(), "STATUS=starting");
    assert_eq!(told.news(now, &stage), None);
    stage.set(|glance, _| {
        glance.started = true;
        glance.summary = "active".into();
    });
    assert_eq!(told.news(now, &stage).unwrap(), "READY=1\nSTATUS=active");
    assert_eq!(told.news(now, &stage), None);
    stage.set(|glance, _| glance.summary = "lost\nREADY=1".into());
    assert_eq!(told.news(now, &stage).unwrap(), "STATUS=lost READY=1");
}

#[test]
fn the_watchdog_is_fed_only_while_the_loop_turns() {
    let (stage, now) = (Stage::new(), Instant::now());
    let mut told = Told::new(Some(Duration::from_secs(30)));
    let at = |seconds| now + Duration::from_secs(seconds);
    assert_eq!(told.news(at(0), &stage).unwrap(), "STATUS=starting\nWATCHDOG=1");
    assert_eq!(told.news(at(9), &stage), None);
    assert_eq!(told.news(at(10), &stage).unwrap(), "WATCHDOG=1");
    stage.set(|_, life| *life = turning(11));
    assert_eq!(told.news(at(60), &stage), None, "stuck");
    stage.set(|_, life| *life = turning(0));
    assert_eq!(told.news(at(61), &stage).unwrap(), "WATCHDOG=1");
}

#[test]
fn while_it_stops_it_asks_for_more_time() {
    let (stage, mut told, now) = (Stage::new(), Told::new(None), Instant::now());
    let at = |millis| now + Duration::from_millis(millis);
    told.news(at(0), &stage);
    stage.set(|glance, _| glance.stopping = true);
    let first = told.news(at(100), &stage).unwrap();
    assert_eq!(first, "STOPPING=1\nEXTEND_TIMEOUT_USEC=10000000");
    assert_eq!(told.news(at(1_000), &stage), None);
    assert_eq!(told.news(at(2_100), &stage).unwrap(), "EXTEND_TIMEOUT_USEC=10000000");
    stage.set(|_, life| *life = turning(60));
    assert_eq!(told.news(at(9_000), &stage), None, "stuck: it may be killed");
}

#[test]
fn both_kinds_of_sockets_are_reached() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    Manager::at(path.as_os_str()).unwrap().tell("READY=1");
    let mut buffer = [0; 64];
    let read = socket.recv(&mut buffer).unwrap();
    assert_eq!(&buffer[..read], b"READY=1");

    #[cfg(target_os = "linux")]
    {
        let name = format!("@moorline-test-{}", std::process::id());
        let socket = UnixDatagram::bind_addr(&address(OsStr::new(&name)).unwrap()).unwrap();
        Manager::at(OsStr::new(&name)).unwrap().tell("WATCHDOG=1");
        let read = socket.recv(&mut buffer).unwrap();
        assert_eq!(&buffer[..read], b"WATCHDOG=1");
    }
    // Nobody is there any more: that is no error.
    drop(socket);
    Manager::at(path.as_os_str()).unwrap().tell("READY=1");
}
