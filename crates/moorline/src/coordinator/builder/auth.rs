//! Who is let in.

use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;

use super::CoordinatorBuilder;
use crate::auth::AskApplicants;
use crate::auth::tokens::Taken;
use crate::{Applicant, Code, Denial};

impl CoordinatorBuilder {
    /// Asks this function about everybody who wants to register, before anything of that counts. Default:
    /// whoever can reach it is let in.
    ///
    /// It runs on the runtime that [`start`](Self::start) is called on. It may take as long as a
    /// registration may (10 s): then the connection is closed, and it is not polled any more. Others do
    /// not wait for it. If it panics the worker is told to come again.
    ///
    /// A worker whose certificate was seen is refused before that unless it has the name in it. What
    /// [`Applicant::credential`] holds is a secret: compare it in constant time, or better by its hash.
    ///
    /// ```
    /// use moorline::{Applicant, Coordinator, Denial};
    ///
    /// async fn look(applicant: Applicant) -> Result<(), Denial> {
    ///     match applicant.credential {
    ///         None => Err(Denial::Missing),
    ///         Some(token) if is_withdrawn(token.as_bytes()).await => Err(Denial::Revoked),
    ///         Some(_) => Ok(()),
    ///     }
    /// }
    /// # async fn is_withdrawn(_: &[u8]) -> bool { false }
    ///
    /// let builder = Coordinator::builder().authenticate(look);
    /// # let _ = builder;
    /// ```
    pub fn authenticate<F, T>(self, judge: F) -> Self
    where
        F: Fn(Applicant) -> T + Send + Sync + 'static,
        T: Future<Output = std::result::Result<(), Denial>> + Send + 'static,
    {
        Self { authenticator: Some(AskApplicants::by(judge)), ..self }
    }

    /// Refuses whoever comes over a connection on which no certificate was seen, as over `grpc://`.
    /// Default: that is for the listeners to ask for.
    ///
    /// ```
    /// let builder = moorline::Coordinator::builder().certificates_only(true);
    /// # let _ = builder;
    /// ```
    pub fn certificates_only(self, only: bool) -> Self {
        Self { wants_certificates: only, ..self }
    }

    /// Lets in who shows one of the tokens in this file, and nobody else: one token of at least 16 bytes a line; empty
    /// lines and those that begin with `#` count for nothing. It is read anew for everybody who wants to register:
    /// a token that is added counts at once, and one that is taken out lets nobody in any more. Who is in stays. In
    /// the place of [`authenticate`](Self::authenticate).
    ///
    /// While the file cannot be used nobody is let in; workers come again soon, and the log says why.
    ///
    /// ```
    /// let builder = moorline::Coordinator::builder().join_token_file("/etc/moorline/join-tokens");
    /// # let _ = builder;
    /// ```
    pub fn join_token_file(self, path: impl Into<PathBuf>) -> Self {
        let path = Arc::new(path.into());
        self.authenticate(move |applicant| {
            let path = Arc::clone(&path);
            async move {
                let shown = applicant.credential.ok_or(Denial::Missing)?;
                // Of a panic in there nobody is to blame who waits.
                let taken = tokio::task::spawn_blocking(move || Taken::read(&path)).await;
                match taken.map_err(|_| Denial::Later)? {
                    Ok(taken) if taken.has(&shown) => Ok(()),
                    Ok(_) => Err(Denial::Rejected),
                    Err(error) => {
                        tracing::error!(
                            event = "auth.no_tokens",
                            role = "coordinator",
                            code = %Code::TOKEN_FILE,
                            worker = %applicant.name,
                            "Nobody is let in: {error}"
                        );
                        Err(Denial::Later)
                    }
                }
            }
        })
    }
}
