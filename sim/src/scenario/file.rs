//! The whole file.

use std::collections::BTreeMap;
use std::ops::Range;

use toml::de::DeTable;

use super::expect::{self, Expect};
use super::form::{Form, Key};
use super::kind::{Kind, TASKS_MAX, WORKERS_MAX};
use super::parts::{decisions, episodes, head, nodes, settings, workload};
use super::reads::{File, Reads};
use super::writes::Writes;
use super::{Scenario, ScenarioError};
use crate::plan::{
    CoordinatorPlan, Episode, Latency, Lull, MS, Mode, SEC, TaskPlan, Temper, WorkerPlan,
};
use crate::{Base, Plan, Settings, Workers};

/// No file is longer.
const BYTES_MAX: usize = 16 << 20;
/// Payloads of all tasks together, in bytes.
const PAYLOADS_MAX: usize = 256 << 20;

/// What a worker is called in a file.
pub(super) const NAME: Key = Key::new("name", "What it is called here.").needed();

/// Writes a scenario.
pub(super) fn write(scenario: &Scenario) -> String {
    let Scenario { about, plan, outcome, expects } = &mut scenario.clone();
    name_only_who_is_there(plan);
    let mut out = Writes::default();
    out.comment("A scenario of moorline's simulator: `moorline sim run --scenario FILE` runs it.");
    head::head(&mut out, about, outcome, plan);
    out.table("quiet", false);
    head::quiet(&mut out, plan);
    if let Some(lull) = &mut plan.lull {
        out.table("lull", false);
        head::lull(&mut out, lull);
    }
    out.table("settings.worker", false);
    settings::worker(&mut out, &mut plan.settings);
    out.table("settings.coordinator", false);
    settings::coordinator(&mut out, &mut plan.settings);
    out.table("settings.world", false);
    settings::world(&mut out, &mut plan.settings);
    if plan.coordinator != CoordinatorPlan::default() {
        out.table("coordinator", false);
        nodes::coordinator(&mut out, &mut plan.coordinator);
    }
    for (index, worker) in plan.workers.iter_mut().enumerate().filter(|(_, worker)| !worker.absent)
    {
        out.table("worker", true);
        out.field(NAME, Kind::Worker, Some(index as i128));
        nodes::worker(&mut out, worker);
    }
    for (index, task) in plan.tasks.iter_mut().enumerate().filter(|(_, task)| !task.absent) {
        out.table("task", true);
        out.field(NAME, Kind::Task, Some(index as i128));
        nodes::task(&mut out, task);
    }
    for episode in &mut plan.episodes {
        out.table("episode", true);
        let (name, _) = episodes::FAULTS[episodes::place(&episode.fault)];
        out.topic(name);
        episodes::episode(&mut out, episode);
    }
    for expected in expects {
        out.table("expect", true);
        expect::expect(&mut out, expected);
    }
    if plan.base != Base::Random || !plan.decisions.is_empty() {
        out.table("decisions", false);
        decisions::base(&mut out, &mut plan.base);
        out.lines("taken", plan.decisions.iter_mut(), |form, decision| {
            decisions::decision(form, decision);
        });
    }
    out.out
}

/// Reads a scenario.
pub(super) fn read(text: &str) -> Result<Scenario, Vec<ScenarioError>> {
    if text.len() > BYTES_MAX {
        let what = format!("it is {} bytes long", text.len());
        let hint = format!("A scenario has at most {BYTES_MAX}.");
        return Err(vec![ScenarioError::new(1, "", &what, &hint)]);
    }
    let (table, errors) = DeTable::parse_recoverable(text);
    let mut file = File::new(text);
    for error in errors {
        let hint =
            "Strings are in double quotes, tables in brackets, and a key stands once in its table.";
        file.wrong(error.span().unwrap_or(0..0), "", error.message(), hint);
    }
    // What a broken file says of itself means nothing.
    if file.errors.is_empty() {
        let (span, table) = (table.span(), table.into_inner());
        let scenario = whole(&mut file, span, &table);
        if file.errors.is_empty() {
            return Ok(scenario);
        }
    }
    let mut errors = file.errors;
    errors.sort_by_key(|error| error.line);
    Err(errors)
}

/// A plan of which nothing is said.
pub(super) fn blank() -> Plan {
    Plan {
        seed: 0,
        mode: Mode::Honest,
        temper: Temper::Common,
        settings: Settings::standard(),
        coordinator: CoordinatorPlan::default(),
        workers: Vec::new(),
        tasks: Vec::new(),
        episodes: Vec::new(),
        lull: None,
        quiet_at: 0,
        core: None,
        base: Base::Random,
        decisions: Vec::new(),
        sabotage: None,
    }
}

fn whole<'t>(file: &mut File<'t>, span: Range<usize>, table: &DeTable<'t>) -> Scenario {
    let mut plan = blank();
    let (mut about, mut outcome) = (String::new(), None);
    let mut top = Reads::new(file, "", 0..span.start.min(1), table);
    head::head(&mut top, &mut about, &mut outcome, &mut plan);
    if let Some((span, table)) = top.section("settings") {
        read_settings(top.file, span, table, &mut plan);
    }
    let link = read_links(&mut top);
    if let Some((span, table)) = top.section("coordinator") {
        let mut form = Reads::new(top.file, "coordinator", span, table);
        nodes::coordinator(&mut form, &mut plan.coordinator);
        form.finish();
    }
    plan.workers = read_workers(&mut top, link);
    let there = plan.workers.iter().enumerate().filter(|(_, worker)| !worker.absent);
    top.file.workers = Some(there.map(|(index, _)| index).collect());
    plan.tasks = read_tasks(&mut top, plan.seed);
    let there = plan.tasks.iter().enumerate().filter(|(_, task)| !task.absent);
    top.file.tasks = Some(there.map(|(index, _)| index).collect());
    let episodes = top.many("episode");
    for (span, table) in &episodes {
        let fault = episodes::FAULTS[episodes::FAULTS.len() - 1].1;
        let mut episode = Episode { at: 0, moment: None, fault };
        let mut form = Reads::new(top.file, "episode", span.clone(), table);
        if form.field(episodes::FAULT, episodes::KIND, None).is_none() {
            // Nobody knows which keys it should have.
            plan.episodes.push(episode);
            continue;
        }
        episodes::episode(&mut form, &mut episode);
        if episode.fault.is_hostile() && plan.mode == Mode::Honest {
            let what = "this is nothing that an honest world does";
            form.wrong_at("fault", what, "Write mode = \"hostile\" at the top, or another fault.");
        }
        form.finish();
        plan.episodes.push(episode);
    }
    plan.quiet_at = quiet_after(&plan);
    if let Some((span, table)) = top.section("quiet") {
        let mut form = Reads::new(top.file, "quiet", span, table);
        head::quiet(&mut form, &mut plan);
        form.finish();
    }
    for ((span, _), episode) in episodes.iter().zip(&plan.episodes) {
        if episode.at >= plan.quiet_at {
            let what = "it begins when nothing goes wrong any more";
            let hint = "Let it begin before quiet.at.";
            top.file.wrong(span.clone(), "episode.at", what, hint);
        }
    }
    if let Some((span, table)) = top.section("lull") {
        let mut lull = Lull { at: 0, lasts: 0 };
        let mut form = Reads::new(top.file, "lull", span, table);
        head::lull(&mut form, &mut lull);
        form.finish();
        plan.lull = Some(lull);
    }
    if let Some((span, table)) = top.section("decisions") {
        let mut form = Reads::new(top.file, "decisions", span, table);
        decisions::base(&mut form, &mut plan.base);
        for (span, table) in form.many("taken") {
            let mut decision = decisions::NONE;
            let mut inside = Reads::new(form.file, "decisions.taken", span, table);
            decisions::decision(&mut inside, &mut decision);
            inside.finish();
            plan.decisions.push(decision);
        }
        form.finish();
    }
    let mut expects = Vec::new();
    for (span, table) in top.many("expect") {
        let mut expected = Expect::of(crate::What::Begins);
        let mut form = Reads::new(top.file, "expect", span, table);
        if form.field(expect::HAPPENS, expect::HAPPENED, None).is_none() {
            continue;
        }
        expect::expect(&mut form, &mut expected);
        if expected.by.is_some_and(|by| by < expected.after) {
            form.wrong_at(
                "by",
                "it is before the time from which on it may happen",
                "Let it be later than after.",
            );
        }
        form.finish();
        expects.push(expected);
    }
    top.finish();
    Scenario { about, plan, outcome, expects }
}

fn read_settings<'t>(
    file: &mut File<'t>,
    span: Range<usize>,
    table: &DeTable<'t>,
    plan: &mut Plan,
) {
    type Part = fn(&mut dyn Form, &mut crate::Settings);
    const PARTS: [(&str, Part); 3] = [
        ("worker", settings::worker),
        ("coordinator", settings::coordinator),
        ("world", settings::world),
    ];
    let before = file.errors.len();
    let mut all = Reads::new(file, "settings", span.clone(), table);
    for (name, part) in PARTS {
        if let Some((span, table)) = all.section(name) {
            let mut form = Reads::new(all.file, &format!("settings.{name}"), span, table);
            part(&mut form, &mut plan.settings);
            form.finish();
        }
    }
    all.finish();
    // Each is fine by itself.
    if file.errors.len() == before
        && let Err(unfit) = plan.settings.is_fit()
    {
        file.wrong(
            span,
            "settings",
            &unfit.to_string(),
            "Change one of them so that they go together.",
        );
    }
}

/// The links of workers that have none of their own: up, down, and what is added.
type Link = (Latency, Latency, u64);

fn read_links(top: &mut Reads<'_, '_>) -> Link {
    let one = Latency::Fixed { at: MS };
    let mut link = (one, one, 0);
    if let Some((span, table)) = top.section("links") {
        let mut links = Reads::new(top.file, "links", span, table);
        if let Some((span, table)) = links.section("default") {
            let mut form = Reads::new(links.file, "links.default", span, table);
            let mut both = None;
            if form.get("latency").is_some() {
                let mut latency = one;
                form.latency(Key::new("latency", "The latency of both ways."), &mut latency);
                both = Some(latency);
            }
            if let Some(both) = both {
                (link.0, link.1) = (both, both);
            }
            nodes::link(&mut form, &mut link.0, &mut link.1, &mut link.2);
            form.finish();
        }
        links.finish();
    }
    link
}

/// The numbers of those that are named, each with its table; twice the same name is wrong.
fn named<'f, 't>(
    top: &mut Reads<'f, 't>,
    name: &'static str,
    kind: Kind,
) -> BTreeMap<usize, (Range<usize>, &'f DeTable<'t>)> {
    let mut all = BTreeMap::new();
    for (span, table) in top.many(name) {
        let mut form = Reads::new(top.file, name, span.clone(), table);
        let Some(index) = form.field(NAME, kind, None) else { continue };
        let index = usize::try_from(index).unwrap_or(0);
        if all.contains_key(&index) {
            let what = format!("there is {} already", kind.show(index as i128));
            form.wrong_at("name", &what, "Give each a name of its own.");
        }
        all.insert(index, (span, table));
    }
    all
}

/// `[nodes]`.
pub(super) fn nodes(form: &mut dyn Form, count: &mut Option<u64>) {
    let kind = Kind::Count { min: 1, max: WORKERS_MAX as i64 };
    form.maybe(Key::new("workers", "So many workers: w0, w1 and so on."), kind, count);
}

fn read_workers(top: &mut Reads<'_, '_>, (up, down, distance): Link) -> Vec<WorkerPlan> {
    let mut count: Option<u64> = None;
    if let Some((span, table)) = top.section("nodes") {
        let mut form = Reads::new(top.file, "nodes", span, table);
        nodes(&mut form, &mut count);
        form.finish();
    }
    let tables = named(top, "worker", Kind::Worker);
    let numbers = tables.last_key_value().map_or(0, |(last, _)| last + 1);
    let everybody = usize::try_from(count.unwrap_or(u64::from(tables.is_empty()))).unwrap_or(0);
    let mut workers: Vec<WorkerPlan> = (0..numbers.max(everybody))
        .map(|index| {
            if index < everybody {
                nodes::worker_of(index, up, down, distance)
            } else {
                nodes::nobody(index)
            }
        })
        .collect();
    for (index, (span, table)) in tables {
        let mut worker = nodes::worker_of(index, up, down, distance);
        let mut form = Reads::new(top.file, "worker", span, table);
        form.get(NAME.name);
        nodes::worker(&mut form, &mut worker);
        form.finish();
        workers[index] = worker;
    }
    workers
}

fn read_tasks(top: &mut Reads<'_, '_>, seed: u64) -> Vec<TaskPlan> {
    let tables = named(top, "task", Kind::Task);
    let numbers = tables.last_key_value().map_or(0, |(last, _)| last + 1);
    let mut tasks: Vec<TaskPlan> = (0..numbers).map(nodes::nothing).collect();
    let mut bytes: usize = 0;
    for (index, (span, table)) in tables {
        let mut task = nodes::task_of(index);
        let mut form = Reads::new(top.file, "task", span, table);
        form.get(NAME.name);
        nodes::task(&mut form, &mut task);
        let within = bytes <= PAYLOADS_MAX;
        bytes = bytes.saturating_add(task.size);
        if within && bytes > PAYLOADS_MAX {
            let what = "the payloads of all tasks together do not fit";
            form.wrong_at("size", what, &format!("They may have {PAYLOADS_MAX} bytes."));
        }
        form.finish();
        tasks[index] = task;
    }
    if let Some((span, table)) = top.section("workload") {
        let mut load = workload::STANDARD;
        let mut form = Reads::new(top.file, "workload", span, table);
        workload::workload(&mut form, &mut load);
        if let Some(problem) = load.problem() {
            form.wrong_at("longest", problem, "Let it be at least as long as the shortest.");
        } else {
            let more = load.draw(seed, numbers);
            let payloads: usize = more.iter().map(|task| task.size).sum();
            if numbers + more.len() > TASKS_MAX {
                let what = format!("there are {} tasks", numbers + more.len());
                form.wrong_at("tasks", &what, &format!("There may be {TASKS_MAX}."));
            } else if bytes.saturating_add(payloads) > PAYLOADS_MAX {
                let what = "the payloads of all tasks together do not fit";
                form.wrong_at("size", what, &format!("They may have {PAYLOADS_MAX} bytes."));
            } else {
                tasks.extend(more);
            }
        }
        form.finish();
    }
    tasks
}

/// When it is quiet where nobody says so: when every fault is over and every task handed in.
fn quiet_after(plan: &Plan) -> u64 {
    let faults =
        plan.episodes.iter().map(|episode| episode.at.saturating_add(episode.fault.lasts()));
    let tasks = plan.tasks.iter().map(|task| task.submit_at);
    let begins = plan.workers.iter().map(|worker| worker.begins_at);
    let last = faults.chain(tasks).chain(begins).chain([plan.coordinator.begins_at]).max();
    (last.unwrap_or(0) + SEC).max(10 * SEC)
}

/// A plan without what nobody sees in it: how those are who are absent, and how many of them come last.
pub(super) fn tidy(mut plan: Plan) -> Plan {
    while plan.workers.last().is_some_and(|worker| worker.absent) {
        plan.workers.pop();
    }
    while plan.tasks.last().is_some_and(|task| task.absent) {
        plan.tasks.pop();
    }
    for (index, worker) in plan.workers.iter_mut().enumerate().filter(|(_, worker)| worker.absent) {
        *worker = nodes::nobody(index);
    }
    for (index, task) in plan.tasks.iter_mut().enumerate().filter(|(_, task)| task.absent) {
        *task = nodes::nothing(index);
    }
    name_only_who_is_there(&mut plan);
    plan
}

/// A file names nobody who is not in it.
fn name_only_who_is_there(plan: &mut Plan) {
    let there: Workers = plan.present().map(|(worker, _)| worker).collect();
    let sets = plan.episodes.iter_mut().filter_map(|episode| episode.fault.workers_mut());
    for set in sets.chain(plan.core.as_mut()).filter(|set| **set != Workers::ALL) {
        *set = set.and(there);
    }
}
