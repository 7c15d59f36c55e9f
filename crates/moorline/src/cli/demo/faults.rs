//! The four faults. Each must strike a running task, and each is survived before the next.

use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use super::stage::{Stage, worker_name};
use super::{Failure, unproven};
use crate::{TaskInfo, TaskState};

/// How long the coordinator stays away.
const AWAY: Duration = Duration::from_millis(1_500);
/// How long a killed worker stays away.
const WORKER_AWAY: Duration = Duration::from_millis(500);
/// How long a task that is to be struck is waited for.
const PATIENCE: Duration = Duration::from_secs(20);
/// What was on its way when a fault struck has arrived after this.
const SETTLED: Duration = Duration::from_millis(100);

/// All four, one after the other: with more than half of the workers away together the coordinator
/// would rather wait than give their tasks away.
pub(super) async fn strike(stage: &mut Stage) -> Result<(), Failure> {
    kill_coordinator(stage).await?;
    freeze_worker(stage, 0).await?;
    kill_worker(stage, 1).await?;
    half_open(stage, 2).await
}

/// The coordinator is killed and started again.
async fn kill_coordinator(stage: &mut Stage) -> Result<(), Failure> {
    let deadline = Instant::now() + PATIENCE;
    let mut held = stage.leased().await?;
    while held.is_empty() {
        pause(deadline, "no task runs that a kill of the coordinator could strike").await?;
        held = stage.leased().await?;
    }
    let killed_at = SystemTime::now();
    stage.coordinator()?.kill().await?;
    stage.say("fault 1 of 4: the coordinator is killed");
    tokio::time::sleep(AWAY).await;
    stage.start_coordinator()?;
    stage.all_active().await?;

    // Those that had not ended when it was killed were running while it was away.
    let mut struck = 0;
    for task in held {
        let now = stage.client().get(task.id).await?;
        struck += usize::from(now.finished_at.is_none_or(|at| at > killed_at));
    }
    if struck == 0 {
        return unproven("the kill of the coordinator struck no running task");
    }
    stage.say(&format!("  back, and so are all workers: {struck} tasks ran on meanwhile"));
    Ok(())
}

/// A worker is frozen until its tasks are given away, then thawed.
async fn freeze_worker(stage: &mut Stage, nth: usize) -> Result<(), Failure> {
    let name = worker_name(nth);
    let deadline = Instant::now() + PATIENCE;
    let struck = loop {
        holds(stage, &name, deadline).await?;
        stage.worker(nth).freeze()?;
        tokio::time::sleep(SETTLED).await;
        let struck = stage.held_by(&name).await?;
        if !struck.is_empty() {
            break struck;
        }
        // Its tasks ended in the very moment: once more.
        stage.worker(nth).thaw()?;
        pause(deadline, "the freeze struck no running task").await?;
    };
    let lost_after = stage.lost_after();
    stage.say(&format!("fault 2 of 4: {name} is frozen with {} tasks", struck.len()));
    stage.until_worker(&name, "lost", |worker| worker.state == "lost").await?;
    stage.say(&format!("  silent for {lost_after:?}: its tasks are given to others; it is thawed"));
    stage.worker(nth).thaw()?;
    stage.active(&name).await?;
    stage.say(&format!("  {name} is back, with results of tasks it had lost"));
    Ok(())
}

/// A worker is killed and started again.
async fn kill_worker(stage: &mut Stage, nth: usize) -> Result<(), Failure> {
    let name = worker_name(nth);
    let deadline = Instant::now() + PATIENCE;
    let struck = loop {
        let before = holds(stage, &name, deadline).await?;
        stage.worker(nth).kill().await?;
        tokio::time::sleep(SETTLED).await;
        let struck = unended(stage, &before).await?;
        if struck > 0 {
            break struck;
        }
        stage.start_worker(nth)?;
        stage.active(&name).await?;
        pause(deadline, "the kill of a worker struck no running task").await?;
    };
    stage.say(&format!("fault 3 of 4: {name} is killed with {struck} tasks"));
    tokio::time::sleep(WORKER_AWAY).await;
    stage.start_worker(nth)?;
    stage.active(&name).await?;
    stage.say(&format!("  {name} is started again: its tasks are redelivered"));
    Ok(())
}

/// A worker's connection stays open and carries nothing any more.
async fn half_open(stage: &mut Stage, nth: usize) -> Result<(), Failure> {
    let name = worker_name(nth);
    let deadline = Instant::now() + PATIENCE;
    let mut struck = 0;
    let mut connections = 0;
    while struck == 0 {
        holds(stage, &name, deadline).await?;
        connections = stage.proxy()?.accepted();
        stage.proxy()?.half_open();
        tokio::time::sleep(SETTLED).await;
        struck = stage.held_by(&name).await?.len();
        if struck == 0 {
            reconnected(stage, &name, connections).await?;
        }
    }
    stage.say(&format!("fault 4 of 4: the connection of {name} is half-open, with {struck} tasks"));
    reconnected(stage, &name, connections).await?;
    stage.say(&format!("  {name} has noticed and is back on a new connection"));
    Ok(())
}

/// Resolves when the worker is active on a connection newer than the first so many.
async fn reconnected(stage: &Stage, name: &str, connections: usize) -> Result<(), Failure> {
    let deadline = Instant::now() + PATIENCE;
    while stage.proxy()?.accepted() == connections {
        pause(deadline, "the worker does not notice that its connection is half-open").await?;
    }
    // The coordinator hears it on the new connection only.
    stage
        .until_worker(name, "active again", |worker| {
            worker.state == "active" && worker.last_contact_ms.is_some_and(|ago| ago < 1_000)
        })
        .await
}

/// Waits until the worker holds tasks, and says which.
async fn holds(stage: &Stage, name: &str, deadline: Instant) -> Result<Vec<TaskInfo>, Failure> {
    loop {
        let held = stage.held_by(name).await?;
        if !held.is_empty() {
            return Ok(held);
        }
        pause(deadline, "no task runs that a fault could strike").await?;
    }
}

/// How many of these tasks have not ended.
async fn unended(stage: &Stage, tasks: &[TaskInfo]) -> Result<usize, Failure> {
    let mut unended = 0;
    for task in tasks {
        let state: TaskState = stage.client().get(task.id).await?.state;
        unended += usize::from(!state.is_final());
    }
    Ok(unended)
}

/// A short pause; what is waited for has to come before the deadline.
async fn pause(deadline: Instant, otherwise: &str) -> Result<(), Failure> {
    if Instant::now() >= deadline {
        return unproven(otherwise);
    }
    tokio::time::sleep(Duration::from_millis(25)).await;
    Ok(())
}
