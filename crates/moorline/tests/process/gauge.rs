//! What a process uses of its machine, as Linux tells it.

use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, prlimit};

use crate::rig::Process;

impl Process {
    /// Its resident memory in KiB.
    pub(crate) fn resident_kib(&self) -> u64 {
        let status =
            std::fs::read_to_string(format!("/proc/{}/status", self.pid().as_raw_nonzero()))
                .unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    /// The processor time it uses while this much real time passes.
    pub(crate) fn cpu_over(&self, time: Duration) -> Duration {
        let before = self.cpu();
        std::thread::sleep(time);
        self.cpu() - before
    }

    fn cpu(&self) -> Duration {
        let stat =
            std::fs::read_to_string(format!("/proc/{}/stat", self.pid().as_raw_nonzero())).unwrap();
        // Behind the name, which is in parentheses: state is field 3, user and system time are 14 and 15.
        let (_, fields) = stat.rsplit_once(") ").unwrap();
        let ticks = fields.split(' ').skip(11).take(2).map(|field| field.parse::<u64>().unwrap());
        Duration::from_millis(ticks.sum::<u64>() * 10)
    }

    /// Lets it have at most so many descriptors; answers the limits it had.
    pub(crate) fn limit_descriptors(&self, most: u64) -> Rlimit {
        let limit = Rlimit { current: Some(most), ..getrlimit(Resource::Nofile) };
        prlimit(Some(self.pid()), Resource::Nofile, limit).unwrap()
    }

    /// Gives its descriptors back.
    pub(crate) fn restore_descriptors(&self, limit: Rlimit) {
        prlimit(Some(self.pid()), Resource::Nofile, limit).unwrap();
    }
}
