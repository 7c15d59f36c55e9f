//! Credentials: where a worker gets its own, and who looks at them.

use std::fmt;
use std::sync::Arc;

use futures::FutureExt;
use futures::channel::mpsc::UnboundedSender;
use futures::future::BoxFuture;
use moorline_link::{ComeBack, ConnId, Dismissal, Reason};
use moorline_node::{Applicant, CoordinatorInput, Credential};

type Fetch = dyn Fn(Option<Reason>) -> BoxFuture<'static, Result<Credential, String>> + Send + Sync;
type Judge = dyn Fn(Applicant) -> BoxFuture<'static, Result<(), Dismissal>> + Send + Sync;

/// Where a worker gets what it proves itself with. It is asked anew for each attempt to connect (P82).
/// Cloning shares it.
///
/// It is told why the coordinator refused what was shown last, if it did: then the answer had better be
/// a fresh one (P81). What it takes counts as time of the attempt; an error ends that as
/// [`Reason::CredentialFailed`].
///
/// ```
/// use moorline_driver::Credentials;
/// use moorline_node::Credential;
///
/// let credentials = Credentials::new(|refused| async move {
///     let token = if refused.is_some() { "a fresh token" } else { "a token" };
///     Credential::new(token).map_err(|error| error.to_string())
/// });
/// # let _ = credentials;
/// ```
#[derive(Clone)]
pub struct Credentials(Arc<Fetch>);

impl Credentials {
    /// Asks this function.
    pub fn new<T>(fetch: impl Fn(Option<Reason>) -> T + Send + Sync + 'static) -> Self
    where
        T: Future<Output = Result<Credential, String>> + Send + 'static,
    {
        Self(Arc::new(move |refused| fetch(refused).boxed()))
    }

    pub(crate) fn fetch(
        &self,
        refused: Option<Reason>,
    ) -> BoxFuture<'static, Result<Credential, String>> {
        (self.0)(refused)
    }
}

/// Looks at what workers show, and lets them in or not. Cloning shares it.
///
/// It is asked once for each Hello, before anything of that counts. It may take as long as a connection
/// may take to register; then it is dropped. A panic in it refuses that worker for now.
///
/// ```
/// use moorline_driver::Authenticator;
/// use moorline_link::{ComeBack, Dismissal, Reason};
///
/// let authenticator = Authenticator::new(|applicant| async move {
///     match applicant.credential {
///         Some(credential) if credential.as_bytes() == b"a token" => Ok(()),
///         Some(_) => Err(Dismissal { reason: Reason::AuthRejected, come_back: ComeBack::ByReason }),
///         None => Err(Dismissal { reason: Reason::AuthMissing, come_back: ComeBack::ByReason }),
///     }
/// });
/// # let _ = authenticator;
/// ```
#[derive(Clone)]
pub struct Authenticator(Arc<Judge>);

impl Authenticator {
    /// Asks this function.
    pub fn new<T>(judge: impl Fn(Applicant) -> T + Send + Sync + 'static) -> Self
    where
        T: Future<Output = Result<(), Dismissal>> + Send + 'static,
    {
        Self(Arc::new(move |applicant| judge(applicant).boxed()))
    }

    pub(crate) fn judge(&self, applicant: Applicant) -> BoxFuture<'static, Result<(), Dismissal>> {
        (self.0)(applicant)
    }
}

/// Takes what came of a applicant, once. Dropped without a word, as by a panic, it refuses for now.
pub(crate) struct Verdict {
    conn: ConnId,
    said: Option<UnboundedSender<CoordinatorInput>>,
}

impl Verdict {
    pub(crate) fn new(conn: ConnId, say: UnboundedSender<CoordinatorInput>) -> Self {
        Self { conn, said: Some(say) }
    }

    pub(crate) fn say(mut self, judged: Result<(), Dismissal>) {
        self.tell(judged);
    }

    /// Nobody waits for it any more.
    pub(crate) fn forget(mut self) {
        self.said = None;
    }

    fn tell(&mut self, judged: Result<(), Dismissal>) {
        if let Some(say) = self.said.take() {
            // A loop that has ended lets nobody in.
            let _ = say.unbounded_send(CoordinatorInput::Authenticated { conn: self.conn, judged });
        }
    }
}

impl Drop for Verdict {
    fn drop(&mut self) {
        let reason = Reason::CoordinatorOverloaded;
        self.tell(Err(Dismissal { reason, come_back: ComeBack::ByReason }));
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials")
    }
}

impl PartialEq for Credentials {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Credentials {}

impl fmt::Debug for Authenticator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Authenticator")
    }
}

impl PartialEq for Authenticator {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Authenticator {}
