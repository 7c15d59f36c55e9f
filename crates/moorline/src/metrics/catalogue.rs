//! Every metric there is: one table for the code, `docs/metrics.md` and the tests.

/// How a metric is read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// It only grows while the process lives.
    Counter,
    /// A value now.
    Gauge,
    /// Durations in buckets.
    Histogram,
}

impl Kind {
    /// As the format writes it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// A metric.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Metric {
    /// With prefix and unit.
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    /// Names of labels; their values come from closed sets.
    pub(crate) labels: &'static [&'static str],
    /// What it says, in one sentence.
    pub(crate) help: &'static str,
    /// When it is there, if not always.
    pub(crate) only: &'static str,
}

macro_rules! catalogue {
    ($($id:ident $name:literal $kind:ident [$($label:literal)*] $help:literal $(only $only:literal)?;)*) => {
        $(#[cfg_attr(
            not(feature = "coordinator"),
            allow(dead_code, reason = "a worker alone has no metrics of a coordinator")
        )]
        pub(crate) const $id: Metric = Metric {
            name: $name, kind: Kind::$kind, labels: &[$($label),*], help: $help,
            only: concat!($($only)?),
        };)*

        /// All of them, in the order of the documents.
        #[cfg(test)]
        pub(crate) const ALL: &[Metric] = &[$($id),*];
    };
}

catalogue! {
    BUILD_INFO "moorline_build_info" Gauge ["version" "role"]
        "What runs here: always 1.";

    CONNECTED "moorline_worker_connected" Gauge []
        "Whether the link is active: 1 or 0.";
    LINK_STATE "moorline_worker_link_state" Gauge ["state"]
        "The state of the link: 1 for the one it is in, 0 for the others.";
    DISCONNECTS "moorline_worker_disconnects_total" Counter ["reason"]
        "Losses of an active link: outages that began.";
    DISCONNECT_DURATION "moorline_worker_disconnect_duration_seconds" Histogram []
        "Outages, from the loss until the link was active again.";
    CONNECT_DURATION "moorline_worker_connect_duration_seconds" Histogram ["outcome"]
        "Dials, until the registration was accepted or the dial had failed.";
    RECONNECTION_ATTEMPTS "moorline_worker_reconnection_attempts_total" Counter []
        "Dials after a loss; the first connect is none.";
    RECONNECTION_SUCCESSES "moorline_worker_reconnection_successes_total" Counter ["outcome"]
        "Outages that ended, with the session resumed or a new one.";
    RECONNECTION_FAILURES "moorline_worker_reconnection_failures_total" Counter ["reason"]
        "Given up for good: until a restart the worker does not come back.";
    TIME_DISCONNECTED "moorline_worker_time_disconnected_seconds_total" Counter []
        "Time without an active link, from the start on; grows while it lasts.";
    NEXT_ATTEMPT "moorline_worker_next_attempt_seconds" Gauge []
        "Time until the next dial." only "while one is waited for";
    HEARTBEATS_SENT "moorline_worker_heartbeats_sent_total" Counter []
        "Heartbeats written.";
    HEARTBEATS_MISSED "moorline_worker_heartbeats_missed_total" Counter []
        "Heartbeats that were not answered in time, or answered with disagreement.";
    HEARTBEAT_RTT "moorline_worker_heartbeat_rtt_seconds" Histogram []
        "Round trips of answered heartbeats.";
    LAST_CONTACT "moorline_worker_last_contact_timestamp_seconds" Gauge []
        "When the coordinator was heard last, in Unix time." only "once it was heard";
    STABILITY "moorline_worker_link_stability_ratio" Gauge []
        "The share of the time since the start in which the link was active: 0 to 1.";
    MESSAGES_RESENT "moorline_worker_messages_resent_total" Counter []
        "Numbered messages that were sent again, because a session went on over a new connection before they were acknowledged.";
    OUTBOX_MESSAGES "moorline_worker_outbox_messages" Gauge ["lane"]
        "Messages that the coordinator has not acknowledged: small ones (c) and those with a body (b).";
    OUTBOX_BYTES "moorline_worker_outbox_bytes" Gauge ["lane"]
        "Their bytes.";
    TASK_SLOTS "moorline_worker_task_slots" Gauge ["state"]
        "Slots, used and free; free ones count while work is taken.";
    RESULTS_KEPT "moorline_worker_results_kept" Gauge []
        "Results that wait for the coordinator's answer.";
    JOURNAL_RESULTS "moorline_worker_journal_results" Gauge []
        "Results that the worker's journal keeps; 0 without a journal.";
    JOURNAL_BYTES "moorline_worker_journal_bytes" Gauge []
        "What they count for in its bound: their size, and 64 bytes each.";
    JOURNAL_FAILURES "moorline_worker_journal_failures_total" Counter []
        "Writes to the journal that failed, each try of the same one.";
    RESULTS_RESUBMITTED "moorline_worker_results_resubmitted_total" Counter ["outcome"]
        "Results that were kept over an outage or offered again, by what became of them.";
    WORKER_TASKS_FINISHED "moorline_worker_tasks_finished_total" Counter ["task" "outcome"]
        "Ended attempts.";
    TASK_DURATION "moorline_worker_task_duration_seconds" Histogram ["task"]
        "How long attempts ran.";

    CHILD_EXITS "moorline_worker_child_exits_total" Counter ["outcome"]
        "Child processes of handlers that ended: well (ok), with another exit code or too large a result (error), by a signal of others (signal), or not well after they were told to (timeout, cancelled)."
        only "with handlers that are commands";

    READY "moorline_coordinator_ready" Gauge []
        "Whether it takes work: recovered, its store takes writes, and it is neither drained nor stopped.";
    WORKERS "moorline_coordinator_workers" Gauge ["state"]
        "Workers, by where they are." only "while its loop answers";
    FLAPPING "moorline_coordinator_workers_flapping" Gauge []
        "Workers that come and go." only "while its loop answers";
    SESSIONS "moorline_coordinator_sessions_established_total" Counter ["kind" "transport"]
        "Accepted registrations.";
    REFUSED "moorline_coordinator_connections_refused_total" Counter ["transport" "reason"]
        "Who connected and was turned away before there was a connection: no TLS or the wrong certificate (tls_failed), another protocol or garbage (protocol_error), too slow (register_timeout), gone before it was let in (closed_by_peer, transport_reset).";
    REJECTIONS "moorline_coordinator_session_rejections_total" Counter ["reason"]
        "Refused registrations.";
    WORKER_DISCONNECTS "moorline_coordinator_worker_disconnects_total" Counter ["reason"]
        "Connections of workers that ended.";
    WORKER_OUTAGE "moorline_coordinator_worker_outage_seconds" Histogram []
        "Outages of workers as they were seen here, from the loss of an active session until the worker was active again.";
    ADMISSION_REJECTIONS "moorline_coordinator_admission_rejections_total" Counter ["reason"]
        "Registrations that were put off for the crowd they came in: beyond the rate or the handshakes at a time (told a slot, with a ticket), beyond the horizon of slots (told a time), or unheard (closed, because too many connections had not said who they are).";
    ADMISSION_TICKETS "moorline_coordinator_admission_tickets_total" Counter ["outcome"]
        "Tickets for slots of registration: given, and used in their time.";
    COORDINATOR_RESENT "moorline_coordinator_messages_resent_total" Counter []
        "Numbered messages to workers that were sent again, because a session went on over a new connection before they were acknowledged.";
    WORKERS_LOST "moorline_coordinator_workers_lost_total" Counter []
        "Workers that were not heard for so long that their leases were given away.";
    HEARTBEATS_RECEIVED "moorline_coordinator_heartbeats_received_total" Counter []
        "Heartbeats that arrived.";
    TASKS "moorline_coordinator_tasks" Gauge ["state"]
        "Tasks in the store; ended ones until they are pruned." only "while its store answers";
    TASKS_SUBMITTED "moorline_coordinator_tasks_submitted_total" Counter []
        "Tasks that were taken, durably.";
    TASKS_FINISHED "moorline_coordinator_tasks_finished_total" Counter ["outcome"]
        "Tasks that ended, durably.";
    QUEUE_LATENCY "moorline_coordinator_task_queue_latency_seconds" Histogram []
        "How long tasks waited from their submission until they were given out for the first time.";
    OLDEST_TASK "moorline_coordinator_queue_oldest_task_age_seconds" Gauge []
        "How long ago the queued task was submitted that was submitted first; 0 if none is queued."
        only "while its store answers";
    REASSIGNMENTS "moorline_coordinator_task_reassignments_total" Counter []
        "Attempts that went back to the queue without a result.";
    WORK_LOST "moorline_coordinator_work_lost_seconds_total" Counter ["cause"]
        "How long attempts held their tasks that came to nothing: their worker was lost or came back without them, or they failed and are retried.";
    LOST_ATTEMPTS "moorline_coordinator_lost_attempts" Gauge []
        "Attempts that were lost with their worker, over all tasks in the store."
        only "while its store answers";
    APPLIED_TWICE "moorline_coordinator_results_applied_twice" Gauge []
        "Tasks whose result was applied more than once: 0, or a promise is broken."
        only "while its store answers";
    RESULTS_RECEIVED "moorline_coordinator_results_received_total" Counter ["disposition"]
        "Results of workers, by what became of them.";
    STORE_OPERATION "moorline_coordinator_store_operation_seconds" Histogram ["op"]
        "How long the store took for what had to wait for it, also in vain.";
    STORE_ERRORS "moorline_coordinator_store_errors_total" Counter ["op"]
        "What the store failed to do.";
    STORE_WRITABLE "moorline_coordinator_store_writable" Gauge []
        "0 while a commit fails or hangs, else 1.";
    STORE_SIZE "moorline_coordinator_store_size_bytes" Gauge []
        "Size of the database, its free pages included; 0 for a store in memory."
        only "while its store answers";
    STORE_FREE "moorline_coordinator_store_free_bytes" Gauge []
        "How much of that is free pages, which are used again before it grows."
        only "while its store answers";
    STORE_WAL "moorline_coordinator_store_wal_bytes" Gauge []
        "Size of the file of the write-ahead log, which is started over again and again; 0 for a store in memory."
        only "while its store answers";
    LOOP_LAG "moorline_coordinator_loop_lag_seconds" Histogram []
        "How late the loop was for what was due.";

    STREAM_CLIENTS "moorline_coordinator_stream_clients" Gauge []
        "Clients that follow the events.";
    HTTP_REQUEST "moorline_http_request_duration_seconds" Histogram ["route" "method" "status_class"]
        "Requests to the admin API, until their answer began; a wait for a task counts in full." only "on a coordinator";

    EACH_CONNECTED "moorline_coordinator_worker_connected" Gauge ["worker"]
        "Whether this worker is active: 1 or 0." only "with metrics per worker";
    EACH_LEASES "moorline_coordinator_worker_leases" Gauge ["worker"]
        "Leases this worker holds." only "with metrics per worker";
    EACH_CONTACT "moorline_coordinator_worker_last_contact_seconds" Gauge ["worker"]
        "How long ago this worker was heard." only "with metrics per worker";

    PROCESS_CPU "process_cpu_seconds_total" Counter []
        "Time on the processor, of user and system." only "on Linux";
    PROCESS_START "process_start_time_seconds" Gauge []
        "When the process started, in Unix time." only "on Linux";
    PROCESS_RESIDENT "process_resident_memory_bytes" Gauge []
        "Memory of the process in RAM." only "on Linux";
    PROCESS_VIRTUAL "process_virtual_memory_bytes" Gauge []
        "Address space of the process." only "on Linux";
    PROCESS_FDS "process_open_fds" Gauge []
        "Open descriptors." only "on Linux";
    PROCESS_MAX_FDS "process_max_fds" Gauge []
        "Descriptors it may have." only "on Linux, if there is a limit";
}
