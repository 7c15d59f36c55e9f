//! What a worker proves itself with.

use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;

use super::WorkerBuilder;
use crate::auth::{GetCredentials, tokens};
use crate::{BoxError, Credential, DisconnectReason};

impl WorkerBuilder {
    /// What it proves itself with, got anew for each attempt to connect (P82), so that it may be
    /// short-lived. Default: nothing but its certificate, if it has one.
    ///
    /// The function is told why the coordinator refused what was shown last, if it did: then it had better
    /// get a fresh one. That is shown at once, and if it is refused as well, all others after long delays
    /// (P81). It runs where handlers run, and what it takes counts as time of the attempt, see
    /// [`connect_timeout`](Self::connect_timeout); an error or a panic ends that as
    /// [`DisconnectReason::CredentialFailed`], and it is asked again by the usual delays.
    ///
    /// ```
    /// use moorline::{Credential, Worker};
    ///
    /// // Somebody else keeps the file fresh.
    /// let builder = Worker::builder("mem://here").credentials(|_refused| async {
    ///     let token = tokio::fs::read("/run/secrets/token").await?;
    ///     Ok(Credential::new(token)?)
    /// });
    /// # let _ = builder;
    /// ```
    pub fn credentials<F, T>(mut self, fetch: F) -> Self
    where
        F: Fn(Option<DisconnectReason>) -> T + Send + Sync + 'static,
        T: Future<Output = std::result::Result<Credential, BoxError>> + Send + 'static,
    {
        self.credentials = Some(GetCredentials::by(fetch));
        self
    }

    /// Proves itself with the token in this file, which is read anew for each attempt to connect: whoever replaces
    /// it need not tell anybody. White space around the token counts for nothing. In the place of
    /// [`credentials`](Self::credentials).
    ///
    /// A file that cannot be read, or that holds no token or several, ends the attempt as
    /// [`DisconnectReason::CredentialFailed`]; the log says why.
    ///
    /// ```
    /// use moorline::Worker;
    ///
    /// let builder = Worker::builder("grpcs://coordinator.example.com:8740")
    ///     .join_token_file("/run/secrets/join-token");
    /// # let _ = builder;
    /// ```
    pub fn join_token_file(self, path: impl Into<PathBuf>) -> Self {
        let path = Arc::new(path.into());
        self.credentials(move |_refused| {
            let path = Arc::clone(&path);
            async move { Ok(tokens::own(&path)?) }
        })
    }
}
