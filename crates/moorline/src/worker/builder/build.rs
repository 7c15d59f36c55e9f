//! From what a builder was told to a worker: everything is checked before anything begins.

use moorline_driver::WorkerOptions;
use moorline_link::{Incarnation, LinkConfig};
use moorline_node::{Name, WorkerConfig};
use moorline_work::RunnerConfig;

use super::super::data_dir::DataDir;
use super::super::executor::Handlers;
use super::super::handle::{Owner, Shared};
#[cfg(feature = "journal")]
use super::super::journal;
use super::super::runtime::Host;
use super::WorkerBuilder;
use crate::id::worker_of_name;
use crate::random::random;
use crate::{Error, Result, Worker};

impl WorkerBuilder {
    /// Checks everything and opens the data directory. Nothing is dialled before [`Worker::run`].
    ///
    /// # Errors
    /// [`Error::Setting`] or [`Error::Endpoint`] for values that make no sense, [`Error::InClear`] for a
    /// coordinator on another machine without TLS, `Error::Tls` for keys and certificates,
    /// [`Error::DataDir`] or
    /// [`Error::DataDirInUse`] for the data directory, `Error::Journal` for the journal in it, [`Error::HealthListen`] if health cannot be served
    /// where it is asked for, [`Error::NoRuntime`] outside a tokio runtime, if it is to run on tokio.
    ///
    /// ```
    /// use moorline::{Code, Worker};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let refused = Worker::builder("grpc://127.0.0.1:8740").slots(0).build();
    /// assert_eq!(refused.unwrap_err().code(), Code::SETTING);
    /// # }
    /// ```
    pub fn build(self) -> Result<Worker> {
        let link = self.link_config()?;
        if let Some(name) = self.twice {
            return Err(Error::setting("task", format!("`{name}` has two handlers")));
        }
        let host = Host::of(self.runtime)?;
        let transports = self.reach.dialling(self.transports)?;
        let endpoints = self
            .coordinators
            .iter()
            .map(|url| self.reach.coordinator(&transports, url))
            .collect::<Result<Vec<_>>>()?;
        let name = self.name.unwrap_or_else(host_name);
        let name = parse_name(&name)?;
        some_slots(self.slots)?;
        #[cfg(feature = "journal")]
        journal::check(self.journal_max)?;
        let handlers =
            self.handlers.keys().map(|name| handler_name(name)).collect::<Result<Vec<_>>>()?;
        #[cfg(feature = "health")]
        let health = super::super::Watched {
            bound: match self.health.as_deref() {
                Some(address) => Some(crate::health::Bound::to(crate::health::address(address)?)?),
                None => None,
            },
            limits: self.limits,
            is_watched: false,
            child_exits: self.child_exits,
        };
        let data_dir = self.data_dir.as_deref().map(DataDir::open).transpose()?;
        let config = WorkerConfig {
            link,
            runner: RunnerConfig { slots: self.slots, task_timeout: self.task_timeout },
            worker: match &data_dir {
                Some(data_dir) => data_dir.worker(),
                None => worker_of_name(name.as_str()),
            },
            incarnation: Incarnation(random().map_err(Error::Start)?),
            name,
            handlers,
            software: crate::software(),
            seed: random().map_err(Error::Start)?,
        };
        let mut options = WorkerOptions::new(config, endpoints);
        #[cfg(feature = "journal")]
        {
            let journal = data_dir.as_ref().map(|at| journal::open(at.path(), self.journal_max));
            options.journal = journal.transpose()?;
        }
        options.shuffle_endpoints = self.reach.shuffles;
        options.credentials = self.credentials.map(|credentials| credentials.on(&host));
        Ok(Worker {
            transports,
            options,
            handlers: Handlers::new(self.handlers, &host),
            shared: Owner::new(Shared::new(host.clone())),
            drain_timeout: self.drain_timeout,
            log_repeat_every: self.log_repeat_every,
            #[cfg(feature = "health")]
            health,
            listeners: self.listeners,
            host,
            data_dir,
        })
    }

    /// What it would dial with, but for the caller's own transports.
    #[cfg(feature = "cli")]
    pub(crate) fn built_in(&self) -> Result<moorline_driver::Transports> {
        self.reach.dialling(moorline_driver::Transports::new())
    }

    /// What the link is told.
    pub(crate) fn link_config(&self) -> Result<LinkConfig> {
        self.link.parse()
    }

    /// Everything [`build`](Self::build) would refuse for its value, not only the first.
    #[cfg(feature = "cli")]
    pub(crate) fn problems(&self) -> Vec<Error> {
        let dialling = self.reach.dialling(self.transports.clone());
        let (transports, unusable) = self.reach.problems(dialling);
        let endpoints = self.coordinators.iter();
        let endpoints = endpoints.map(|url| self.reach.coordinator(&transports, url));
        let mut problems: Vec<_> = endpoints.filter_map(Result::err).chain(unusable).collect();
        problems.extend(self.name.as_ref().and_then(|name| parse_name(name).err()));
        problems.extend(some_slots(self.slots).err());
        problems.extend(journal::check(self.journal_max).err());
        problems.extend(self.handlers.keys().filter_map(|name| handler_name(name).err()));
        problems.extend(self.link.problems());
        #[cfg(feature = "health")]
        problems.extend(self.health.as_deref().and_then(|text| crate::health::address(text).err()));
        problems
    }

    /// What is no error, and is to be known.
    #[cfg(feature = "cli")]
    pub(crate) fn warning(&self) -> Option<Error> {
        self.reach.warning()
    }

    /// [`build`](Self::build) and [`Worker::run`] in one.
    ///
    /// # Errors
    /// Those of both.
    ///
    /// ```no_run
    /// # #[tokio::main]
    /// # async fn main() -> moorline::Result<()> {
    /// moorline::Worker::builder("grpc://127.0.0.1:8740").run().await
    /// # }
    /// ```
    pub async fn run(self) -> Result<()> {
        self.build()?.run().await
    }
}

fn parse_name(name: &str) -> Result<Name> {
    Name::new(name).map_err(|error| Error::setting("name", error))
}

fn handler_name(name: &str) -> Result<Name> {
    Name::new(name).map_err(|error| Error::setting("task", error))
}

fn some_slots(slots: u16) -> Result<()> {
    if slots == 0 {
        return Err(Error::setting("slots", "at least 1"));
    }
    Ok(())
}

#[cfg(unix)]
pub(crate) fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

#[cfg(not(unix))]
pub(crate) fn host_name() -> String {
    std::env::var("COMPUTERNAME").unwrap_or_else(|_| "worker".to_owned())
}
