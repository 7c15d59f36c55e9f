//! A handler that blocks every thread of its runtime.

use std::time::Duration;

use moorline::{BoxError, TaskCtx};

use crate::rig::Rig;

/// Longer than the heartbeat timeout of the defaults, twice over.
const BLOCKED: Duration = Duration::from_secs(30);

#[test]
fn a_handler_that_blocks_its_runtime_does_not_cost_the_connection() {
    let rig = Rig::new("90s");
    let builder = crate::wire::worker(rig.listen);
    let worker = std::thread::spawn(move || {
        // One thread, and the handler keeps it.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async move {
            let worker = builder
                .name("blocked")
                .task("block", |_ctx: TaskCtx, (): ()| async move {
                    std::thread::sleep(BLOCKED);
                    Ok::<_, BoxError>("done")
                })
                .build()
                .unwrap();
            worker.run().await
        })
    });
    rig.until_worker("blocked", "active");
    let task = rig.submit("block", "null", &[]);
    rig.until_task(&task, "leased");
    while rig.task(&task)["state"] == "leased" {
        let seen = rig.seen("blocked");
        assert_eq!(seen["state"], "active", "{seen}");
        std::thread::sleep(Duration::from_millis(500));
    }
    let ended = rig.task(&task);
    assert_eq!((&ended["state"], &ended["attempts"]), (&"succeeded".into(), &1.into()), "{ended}");
    assert_eq!(rig.coordinator.log().messages("worker.disconnected"), [""; 0]);
    assert_eq!(rig.coordinator.log().messages("worker.suspect"), [""; 0]);
    assert!(!worker.is_finished());
}
