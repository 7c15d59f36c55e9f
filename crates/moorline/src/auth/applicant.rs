//! Who wants to come in, and why it may not.

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use moorline_driver::Authenticator;
use moorline_link::{ComeBack, Dismissal};
use moorline_node::Credential;

use super::on;
use crate::DisconnectReason;
use crate::worker::Host;

/// A worker that wants to be let in: what it says, and what it shows for that.
///
/// ```
/// use moorline::Applicant;
///
/// /// Its name has to be in its token.
/// fn is_its_own(applicant: &Applicant) -> bool {
///     let token = applicant.credential.as_ref().map_or(&b""[..], |credential| credential.as_bytes());
///     token.starts_with(applicant.name.as_bytes())
/// }
/// # let _ = is_its_own;
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Applicant {
    /// The name it gives itself.
    pub name: String,
    /// The name that its certificate has proven, where it was asked for one: then it is
    /// [`name`](Self::name), for others are refused before.
    pub certificate: Option<String>,
    /// What it shows.
    pub credential: Option<Credential>,
}

/// Why a worker is not let in. What it is told is the reason that goes with it.
///
/// ```
/// use moorline::{Denial, DisconnectReason};
///
/// assert_eq!(DisconnectReason::from(Denial::Expired), DisconnectReason::AuthExpired);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Denial {
    /// It has to show something and has not. It asks again slowly.
    Missing,
    /// What it shows is not good. It asks again with something fresh at once, and then slowly (P81).
    Rejected,
    /// What it shows was good once. It asks again with something fresh at once, and then slowly.
    Expired,
    /// What it shows was withdrawn: that is final, and its process ends.
    Revoked,
    /// It is who it says, and not wanted here. It asks again slowly.
    NotAdmitted,
    /// It cannot be told now. It asks again soon.
    Later,
}

impl From<Denial> for DisconnectReason {
    fn from(denial: Denial) -> Self {
        match denial {
            Denial::Missing => Self::AuthMissing,
            Denial::Rejected => Self::AuthRejected,
            Denial::Expired => Self::AuthExpired,
            Denial::Revoked => Self::AuthRevoked,
            Denial::NotAdmitted => Self::NotAdmitted,
            Denial::Later => Self::CoordinatorOverloaded,
        }
    }
}

/// A function that looks at applicants, until it is known on which runtime.
#[derive(Clone)]
pub(crate) struct AskApplicants(Arc<dyn Fn(&Host) -> Authenticator + Send + Sync>);

impl AskApplicants {
    pub(crate) fn by<F, T>(judge: F) -> Self
    where
        F: Fn(Applicant) -> T + Send + Sync + 'static,
        T: Future<Output = Result<(), Denial>> + Send + 'static,
    {
        let judge = Arc::new(judge);
        Self(Arc::new(move |runtime| {
            let (runtime, judge) = (runtime.clone(), Arc::clone(&judge));
            Authenticator::new(move |applicant| {
                let (runtime, judge) = (runtime.clone(), Arc::clone(&judge));
                let applicant = Applicant {
                    name: applicant.name.as_str().to_owned(),
                    certificate: applicant.proven,
                    credential: applicant.credential,
                };
                async move {
                    let judged = on(&runtime, async move { judge(applicant).await }).await;
                    // A bug of whoever looks at it is none of the worker's.
                    let judged = judged.unwrap_or(Err(Denial::Later));
                    let come_back = ComeBack::ByReason;
                    judged.map_err(|denial| Dismissal { reason: denial.into(), come_back })
                }
            })
        }))
    }

    /// Asks it about everybody, on this runtime: whatever it does there holds up nobody else.
    pub(crate) fn on(&self, runtime: &Host) -> Authenticator {
        (self.0)(runtime)
    }
}

impl fmt::Debug for AskApplicants {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AskApplicants")
    }
}
