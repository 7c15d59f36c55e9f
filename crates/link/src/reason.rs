//! The closed list of reasons: one table for logs, API, command line, metrics and documents.

/// What a worker does after a loss or a refusal with some reason. The one place of that decision.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Retry {
    /// Dial again by the backoff policy.
    Backoff,
    /// Dial again, but not before the longest delay of the policy: a quick retry cannot help.
    Slow,
    /// With a fresh credential at once, and from then on as [`Retry::Slow`]: until the next stable
    /// connection there is no second try of that kind (P81).
    Renew,
    /// Never by itself: an operator must act.
    Never,
}

macro_rules! reasons {
    ($($variant:ident $name:literal $code:literal $retry:ident $meaning:literal $remedy:literal;)*) => {
        /// Why a connection ended, was refused or was given up: a closed list.
        ///
        /// The same word appears in log lines, the admin API, `--json`, filters and metrics.
        ///
        /// ```
        /// use moorline_link::{Reason, Retry};
        ///
        /// assert_eq!(Reason::StreamLost.name(), "stream_lost");
        /// assert_eq!(Reason::StreamLost.code(), 2104);
        /// assert_eq!(Reason::from_code(2104), Some(Reason::StreamLost));
        /// assert_eq!(Reason::Superseded.retry(), Retry::Never);
        /// ```
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        #[non_exhaustive]
        pub enum Reason { $(#[doc = $meaning] $variant,)* }

        impl Reason {
            /// Every reason, by code.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The word used in logs, API and filters, such as `stream_lost`.
            #[must_use]
            pub const fn name(self) -> &'static str { match self { $(Self::$variant => $name,)* } }

            /// The number of the code: 2104 is written `ML2104`.
            #[must_use]
            pub const fn code(self) -> u16 { match self { $(Self::$variant => $code,)* } }

            /// What it means, in one sentence.
            #[must_use]
            pub const fn meaning(self) -> &'static str { match self { $(Self::$variant => $meaning,)* } }

            /// What to do about it, in one sentence.
            #[must_use]
            pub const fn remedy(self) -> &'static str { match self { $(Self::$variant => $remedy,)* } }

            /// Transient or permanent.
            #[must_use]
            pub const fn retry(self) -> Retry { match self { $(Self::$variant => Retry::$retry,)* } }
        }
    };
}

reasons! {
    HeartbeatTimeout "heartbeat_timeout" 2101 Backoff
        "Nothing was heard from the peer for the heartbeat timeout."
        "Look for a frozen or overloaded process, or a path that drops packets.";
    HeartbeatUnacked "heartbeat_unacked" 2102 Backoff
        "Several heartbeats in a row were not answered."
        "Look whether the coordinator is frozen or overloaded; it is tried again by itself.";
    TransportReset "transport_reset" 2103 Backoff
        "The transport connection was reset."
        "Nothing, if it is rare; else look at the peer's process and at middleboxes.";
    StreamLost "stream_lost" 2104 Backoff
        "The control stream ended while the transport stayed up."
        "Look at proxies between the two sides that limit the life of a stream.";
    HalfOpen "half_open" 2105 Backoff
        "The transport's keepalive failed: the peer is silent on an open connection."
        "Look for a firewall or NAT that forgets idle connections.";
    ClosedByPeer "closed_by_peer" 2106 Backoff
        "The peer closed the connection in order, without saying why."
        "See the peer's log of the same time.";
    FlowStalled "flow_stalled" 2107 Backoff
        "The peer stopped reading and everything that may be under way is under way."
        "Look whether the peer's process is frozen or its machine overloaded.";
    ProtocolError "protocol_error" 2108 Backoff
        "The peer sent something the protocol does not allow."
        "Compare the versions of both sides; report it if they are the same.";
    NetworkChanged "network_changed" 2109 Backoff
        "The local address or route changed."
        "Nothing: the worker dials again at once.";
    Suspended "suspended" 2110 Backoff
        "This machine slept or the process was stopped, and the peer did not answer afterwards."
        "Nothing, if the machine was meant to sleep.";
    OutOfStep "out_of_step" 2111 Backoff
        "Both sides answered, but disagreed three times about what the worker can take."
        "Nothing: the worker registers again; report it if it comes back.";
    RegisterTimeout "register_timeout" 2112 Backoff
        "The coordinator took the connection but did not answer the registration in time."
        "Look at the coordinator's load, and whether the address is really a coordinator.";
    RestoreStalled "restore_stalled" 2113 Backoff
        "The inventory after a registration made no progress."
        "Look at the coordinator's store and load.";
    Moved "moved" 2114 Backoff
        "The worker's own new connection took the session over."
        "Nothing: this is how a worker changes connections.";
    AnswerTimeout "answer_timeout" 2115 Backoff
        "The worker took in a question about a task and did not answer it in time."
        "Nothing, if it is rare: the worker registers again; else compare the versions of both sides.";
    DnsFailed "dns_failed" 2201 Backoff
        "The coordinator's host name could not be resolved."
        "Check the name in the coordinator URL and the resolver.";
    ConnectRefused "connect_refused" 2202 Backoff
        "Nothing listens at the coordinator's address."
        "Check that the coordinator runs, and its --listen address and port.";
    ConnectTimeout "connect_timeout" 2203 Backoff
        "The connection was not established in time."
        "Check the address, and firewalls that drop packets silently.";
    Unreachable "unreachable" 2204 Backoff
        "There is no route to the coordinator's address."
        "Check the network of this machine and the address.";
    TlsFailed "tls_failed" 2205 Slow
        "The TLS handshake failed."
        "Check the certificates and the name of both sides.";
    ProxyRefused "proxy_refused" 2206 Slow
        "A proxy refused to connect, or answered instead of the coordinator."
        "Check the proxy's rules and that the URL names a moorline coordinator.";
    CredentialFailed "credential_failed" 2207 Backoff
        "The worker could not get its own credential."
        "Check where the worker gets it from: its log says what failed.";
    AuthMissing "auth_missing" 3101 Slow
        "The coordinator wants a credential and none was given."
        "Give the worker its credential.";
    AuthRejected "auth_rejected" 3102 Renew
        "The coordinator does not accept the credential."
        "Give the worker a valid credential.";
    AuthExpired "auth_expired" 3103 Renew
        "The credential has expired."
        "Renew the worker's credential.";
    AuthRevoked "auth_revoked" 3104 Never
        "The credential was revoked."
        "Give the worker a new credential and start it again.";
    VersionUnsupported "version_unsupported" 3105 Never
        "The two sides share no protocol version."
        "Upgrade the older side, then start the worker again.";
    NameConflict "name_conflict" 3106 Slow
        "A live worker already has this name or identity."
        "Give this worker another --name and --data-dir, or stop the other one.";
    Quarantined "quarantined" 3107 Slow
        "An operator put this worker into quarantine."
        "Release it on the coordinator.";
    NotAdmitted "not_admitted" 3108 Slow
        "The coordinator does not admit this worker."
        "Check which workers the coordinator is set up to admit.";
    RateLimited "rate_limited" 3109 Backoff
        "The coordinator takes back workers at a bounded rate and gave this one a later time."
        "Nothing: the worker comes back at the time it was given.";
    Superseded "superseded" 3201 Never
        "A newer process of the same worker took over."
        "Nothing, if it was restarted; else find the second process with this data directory.";
    CoordinatorStopping "coordinator_stopping" 3301 Backoff
        "The coordinator is stopping."
        "Nothing: the worker waits for it to come back.";
    CoordinatorRestarted "coordinator_restarted" 3302 Backoff
        "The coordinator was restarted and does not know the session."
        "Nothing: the worker registers again.";
    CoordinatorOverloaded "coordinator_overloaded" 3303 Backoff
        "The coordinator has no capacity for another session now."
        "Nothing, if it is rare; else give the coordinator more resources.";
    SessionUnknown "session_unknown" 3304 Backoff
        "The coordinator does not know the session."
        "Nothing: the worker registers again.";
    WorkerStopping "worker_stopping" 3401 Never
        "The worker left on purpose."
        "Nothing.";
    WorkerRestarted "worker_restarted" 3402 Backoff
        "A new process of the worker registered after the old one was gone."
        "Nothing, if it was restarted on purpose; else look at its log for a crash.";
    WorkerCrashed "worker_crashed" 3403 Backoff
        "The worker's process ended without a goodbye."
        "Look at the worker's log and at its supervisor.";
    OperatorDisconnect "operator_disconnect" 3501 Backoff
        "An operator ended the connection."
        "Nothing: the worker comes back by itself.";
    OperatorDrain "operator_drain" 3502 Never
        "An operator drained the worker."
        "Start the worker again when it is wanted.";
    Chaos "chaos" 3503 Backoff
        "A deliberate fault ended the connection."
        "Nothing: it ends when the experiment ends.";
    Forced "forced" 3504 Backoff
        "A reconnect was asked for."
        "Nothing: the worker dials again at once.";
    Redirected "redirected" 3505 Backoff
        "The coordinator sent the worker to another address."
        "Nothing: the worker follows and comes back if that fails.";
    AttemptsExhausted "attempts_exhausted" 3901 Never
        "The allowed number of reconnection attempts was used up."
        "Start the worker again, or allow more with --max-reconnect-attempts.";
    DeadlineExceeded "deadline_exceeded" 3902 Never
        "The time allowed for reconnecting is over, or automatic reconnecting is off."
        "Start the worker again, or allow more time.";
}

impl Reason {
    /// The reason with this code number, if there is one.
    #[must_use]
    pub fn from_code(code: u16) -> Option<Self> {
        Self::ALL.iter().copied().find(|reason| reason.code() == code)
    }

    /// The reason with this name, if there is one.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|reason| reason.name() == name)
    }
}

impl core::fmt::Display for Reason {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.name())
    }
}
