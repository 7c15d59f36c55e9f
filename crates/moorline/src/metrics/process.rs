//! The standard metrics of a process, from `/proc`.

use super::page::Page;

/// Writes them, where the system tells.
#[cfg(not(target_os = "linux"))]
pub(super) fn measure(_page: &mut Page) {}

/// Writes them. What the system does not tell is left out.
#[cfg(target_os = "linux")]
pub(super) fn measure(page: &mut Page) {
    use super::catalogue::{
        PROCESS_CPU, PROCESS_FDS, PROCESS_MAX_FDS, PROCESS_RESIDENT, PROCESS_START, PROCESS_VIRTUAL,
    };

    let read = |path: &str| std::fs::read_to_string(path).ok();
    if let Some(stat) = read("/proc/self/stat").as_deref().and_then(Stat::parse) {
        let ticks = rustix::param::clock_ticks_per_second() as f64;
        page.one(&PROCESS_CPU, stat.cpu_ticks as f64 / ticks);
        let booted = read("/proc/stat").as_deref().and_then(booted);
        if let Some(booted) = booted {
            page.one(&PROCESS_START, booted as f64 + stat.start_ticks as f64 / ticks);
        }
        let page_size = rustix::param::page_size() as u64;
        page.one(&PROCESS_RESIDENT, stat.resident_pages.saturating_mul(page_size));
        page.one(&PROCESS_VIRTUAL, stat.virtual_bytes);
    }
    if let Ok(open) = std::fs::read_dir("/proc/self/fd") {
        // Without the one of this very look.
        page.one(&PROCESS_FDS, (open.count() as u64).saturating_sub(1));
    }
    if let Some(most) = read("/proc/self/limits").as_deref().and_then(max_fds) {
        page.one(&PROCESS_MAX_FDS, most);
    }
}

/// What `/proc/self/stat` says, see proc(5).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg(target_os = "linux")]
struct Stat {
    cpu_ticks: u64,
    start_ticks: u64,
    virtual_bytes: u64,
    resident_pages: u64,
}

#[cfg(target_os = "linux")]
impl Stat {
    fn parse(text: &str) -> Option<Self> {
        // The name may hold anything, also a parenthesis.
        let (_, rest) = text.rsplit_once(')')?;
        let fields: Vec<_> = rest.split_ascii_whitespace().collect();
        // The first of these is the third of all.
        let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
        Some(Self {
            cpu_ticks: field(14)? + field(15)?,
            start_ticks: field(22)?,
            virtual_bytes: field(23)?,
            resident_pages: field(24)?,
        })
    }
}

/// When the machine was started, in Unix time.
#[cfg(target_os = "linux")]
fn booted(text: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()
}

/// The soft limit of descriptors; `None` if there is none.
#[cfg(target_os = "linux")]
fn max_fds(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

#[cfg(all(test, target_os = "linux"))]
mod tests;
