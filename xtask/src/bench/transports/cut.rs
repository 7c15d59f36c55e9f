//! Connections that break, and how long it takes until they are whole again.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::Value;

use super::super::process::{Process, free_address, median};
use super::proxy::Proxy;
use super::side::{PAIRS, Programs, Side};
use super::{Error, Plan};

const ROUNDS: usize = 3;

pub(super) const WORKERS: usize = 10;

/// Between two heartbeats of one worker: the default.
const EVERY: Duration = Duration::from_secs(5);

/// How long connections have been whole: delays begin anew after 30 s.
const AGE: Duration = Duration::from_secs(35);

/// Between two faults, each of connections of its own: one fleet comes back before the next one is cut.
const APART: Duration = Duration::from_millis(800);

/// How long nothing passes.
const SILENCE: Duration = Duration::from_secs(20);

/// How long is waited for whoever comes back: quinn alone believes in a dead connection for 30 s.
const BACK: Duration = Duration::from_secs(45);

/// How long all that takes.
#[derive(Clone, Copy)]
struct Times {
    age: Duration,
    apart: Duration,
    silence: Duration,
    back: Duration,
}

impl Times {
    const FULL: Self = Self { age: AGE, apart: APART, silence: SILENCE, back: BACK };
    /// Too short for a silence to be noticed, and for quinn.
    const QUICK: Self = Self {
        age: Duration::ZERO,
        apart: Duration::from_millis(200),
        silence: Duration::from_secs(5),
        back: Duration::from_secs(5),
    };
}

/// How long anything else may take.
const SOON: Duration = Duration::from_secs(60);

/// How often it looks who is back.
const GLANCE: Duration = Duration::from_secs(1);

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Fault {
    /// The proxy swallows everything for a while; sockets stay open.
    Silence,
    /// The proxy resets connections, or goes on from another port; new ones work.
    Reset,
    /// SIGKILL of the server, and another process in its place at once.
    Kill,
}

impl Fault {
    const ALL: [Self; 3] = [Self::Silence, Self::Reset, Self::Kill];

    fn name(self) -> &'static str {
        match self {
            Self::Silence => "nothing passes for a while",
            Self::Reset => "reset by what is in between",
            Self::Kill => "server killed, another one at once",
        }
    }
}

/// What became of a fleet, in seconds. What did not happen to all of it is none.
#[derive(Clone, Copy, PartialEq, Default, Debug)]
pub(super) struct Fate {
    /// From the fault until half of the workers knew of it.
    pub(super) noticed: Option<f64>,
    /// From the fault, or the end of a silence, until half of them were active again.
    pub(super) half: Option<f64>,
    /// And all.
    pub(super) all: Option<f64>,
    /// Nobody lost its connection, and it carries on.
    pub(super) unharmed: bool,
}

/// From the moments the fleet tells, since the fault at `cut`; it was over at `healed`.
pub(super) fn fate(moments: &Value, cut: u64, healed: u64, alive: bool) -> Result<Fate, Error> {
    let times = |what: &str| -> Result<Vec<u64>, Error> {
        let list = moments[what].as_array().ok_or("no list of moments")?;
        let mut times: Vec<u64> =
            list.iter().filter_map(Value::as_u64).filter(|at| *at >= cut).collect();
        times.sort_unstable();
        Ok(times)
    };
    let (downs, ups) = (times("downs")?, times("ups")?);
    let seconds = |times: &[u64], nth: usize, since: u64| {
        times.get(nth - 1).map(|at| at.saturating_sub(since) as f64 / 1e9)
    };
    Ok(Fate {
        noticed: seconds(&downs, WORKERS / 2, cut),
        half: seconds(&ups, WORKERS / 2, healed),
        all: seconds(&ups, WORKERS, healed),
        unharmed: downs.is_empty() && alive,
    })
}

/// A fleet and its server, with or without a proxy in between.
struct Scene {
    side: Side,
    fault: Fault,
    address: String,
    store: PathBuf,
    server: Option<Process>,
    proxy: Option<Proxy>,
    fleet: Process,
    cut: u64,
    healed: u64,
    /// What had come back when it was cut.
    bytes: u64,
}

impl Scene {
    fn start(programs: &Programs, side: Side, fault: Fault, store: PathBuf) -> Result<Self, Error> {
        let address = free_address()?.to_string();
        let server = serve(programs, side, &address, &store)?;
        let proxy = match fault {
            Fault::Kill => None,
            Fault::Silence | Fault::Reset => {
                Some(Proxy::start(&programs.moorline, side.is_udp(), &address)?)
            }
        };
        let dialled = proxy.as_ref().map_or(&address, |proxy| &proxy.address);
        let fleet =
            Process::start(&mut programs.fleet(side, dialled, u32::try_from(WORKERS)?, EVERY))?;
        fleet.until("UP", SOON)?;
        let server = Some(server);
        let (cut, healed, bytes) = (0, 0, 0);
        Ok(Self { side, fault, address, store, server, proxy, fleet, cut, healed, bytes })
    }

    /// The fault happens. Silence has to be healed.
    fn cut(&mut self, programs: &Programs) -> Result<(), Error> {
        if let Some(proxy) = &self.proxy {
            self.bytes = proxy.bytes()?[1];
        }
        self.cut = unix_nanos()?;
        self.healed = self.cut;
        match (self.fault, &self.proxy) {
            (Fault::Silence, Some(proxy)) => proxy.change("half-open"),
            (Fault::Reset, Some(proxy)) => proxy.change("reset"),
            (Fault::Kill, _) => {
                self.server.take().ok_or("it was killed before")?.kill()?;
                self.server = Some(serve(programs, self.side, &self.address, &self.store)?);
                Ok(())
            }
            (Fault::Silence | Fault::Reset, None) => Err("no proxy".into()),
        }
    }

    fn heal(&mut self) -> Result<(), Error> {
        if let (Fault::Silence, Some(proxy)) = (self.fault, &self.proxy) {
            self.healed = unix_nanos()?;
            proxy.change("heal")?;
        }
        Ok(())
    }

    fn fate(&mut self) -> Result<Fate, Error> {
        let alive = match &self.proxy {
            Some(proxy) => proxy.bytes()?[1] > self.bytes,
            None => false,
        };
        let moments = serde_json::from_str(&self.fleet.ask(SOON)?)?;
        fate(&moments, self.cut, self.healed, alive)
    }
}

fn serve(programs: &Programs, side: Side, address: &str, store: &Path) -> Result<Process, Error> {
    let server = Process::start(&mut programs.serve(side, address, Some(store)))?;
    server.until("READY", SOON)?;
    Ok(server)
}

fn unix_nanos() -> Result<u64, Error> {
    Ok(u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_nanos())?)
}

pub(super) fn measure(programs: &Programs, plan: Plan) -> Result<String, Error> {
    let (rounds, times) = if plan.quick { (1, Times::QUICK) } else { (ROUNDS, Times::FULL) };
    let rounds = (0..rounds).map(|_| round(programs, times)).collect::<Result<Vec<_>, Error>>()?;
    let tables = Fault::ALL.iter().enumerate().map(|(nth, fault)| {
        let of: Vec<&[Fate]> = rounds.iter().map(|round| &round[nth][..]).collect();
        text(*fault, &of)
    });
    Ok(tables.collect::<Vec<_>>().join("\n"))
}

/// For each fault the fates of [`Side::pairs`]. All fleets wait at once, and are cut one after the other.
fn round(programs: &Programs, times: Times) -> Result<Vec<Vec<Fate>>, Error> {
    let home = tempfile::tempdir()?;
    let mut scenes = Vec::new();
    for fault in Fault::ALL {
        for side in Side::pairs() {
            let store = home.path().join(format!("{}.db", scenes.len()));
            let scene = Scene::start(programs, side, fault, store);
            scenes.push(scene.map_err(|error| format!("{fault:?}, {}: {error}", side.name()))?);
        }
    }
    sleep(times.age);
    let began = Instant::now();
    for scene in &mut scenes {
        scene.cut(programs)?;
        // Of a silence nobody knows at once.
        if scene.fault != Fault::Silence {
            sleep(times.apart);
        }
    }
    sleep(times.silence.saturating_sub(began.elapsed()));
    for scene in &mut scenes {
        scene.heal()?;
    }
    let patience = Instant::now() + times.back;
    loop {
        let fates = scenes.iter_mut().map(Scene::fate).collect::<Result<Vec<_>, Error>>()?;
        if Instant::now() >= patience
            || fates.iter().all(|fate| fate.all.is_some() || fate.unharmed)
        {
            return Ok(fates.chunks(2 * PAIRS.len()).map(<[Fate]>::to_vec).collect());
        }
        sleep(GLANCE);
    }
}

/// `rounds` have the fates of [`Side::pairs`].
pub(super) fn text(fault: Fault, rounds: &[&[Fate]]) -> String {
    let since = match fault {
        Fault::Silence => "active again, after its end",
        Fault::Reset | Fault::Kill => "active again",
    };
    let mut text = format!(
        "| {}; {WORKERS} workers, medians of {} | noticed by half | {since}: half | all |\n| --- | ---: | ---: | ---: |\n",
        fault.name(),
        rounds.len()
    );
    for (place, side) in Side::pairs().enumerate() {
        let fates = || rounds.iter().map(|round| round[place]);
        let name = side.name();
        if fates().all(|fate| fate.unharmed) {
            let _ = writeln!(text, "| {name} | connection goes on | | |");
            continue;
        }
        // A round in which it did not happen is one in which it took forever.
        let of = |of: fn(Fate) -> Option<f64>| {
            shown(median(fates().map(|fate| of(fate).unwrap_or(f64::INFINITY))))
        };
        let (noticed, half, all) = (of(|f| f.noticed), of(|f| f.half), of(|f| f.all));
        let _ = writeln!(text, "| {name} | {noticed} | {half} | {all} |");
    }
    text
}

/// Seconds, to as many places as mean something.
pub(super) fn shown(seconds: f64) -> String {
    match seconds {
        seconds if seconds.is_infinite() => "never".to_owned(),
        seconds if seconds < 1.0 => format!("{:.0} ms", seconds * 1_000.0),
        seconds => format!("{seconds:.1} s"),
    }
}
