//! docs/codes.md.

use super::subject::{GROUPS, Subject};

const HEAD: &str = "\
# Codes and reasons

Every error that a person sees has a code; every connection that ended, was refused or given up has a reason, and each reason a
code. The words and numbers are the same in log lines, the admin API, `--json`, filters and metrics, and are never used again for
something else. `moorline explain CODE` and `moorline explain REASON` say the same as this page, which is made from the same two
tables by `moorline explain --markdown`.

*Exit* is the code of a process that ends with it. *Retry* is what a worker does by itself: it comes back by its reconnect policy
(backoff), each time after its longest delay (slow), or not until it is started again (never).
";

/// The page, whole.
pub(super) fn page() -> String {
    let mut page = HEAD.to_owned();
    let all = Subject::all();
    for &(group, title, when) in GROUPS {
        let of_group: Vec<_> = all.iter().filter(|subject| subject.group() == group).collect();
        let reasons = of_group.iter().any(|subject| subject.retry().is_some());
        page.push_str(&format!("\n## ML{group}: {title}\n\n{when}\n\n"));
        page.push_str(if reasons {
            "| code | reason | meaning | what to do | retry | exit |\n| --- | --- | --- | --- | --- | --- |\n"
        } else {
            "| code | meaning | what to do | exit |\n| --- | --- | --- | --- |\n"
        });
        for subject in of_group {
            let json = subject.json();
            let of_reason = |field: &str, quote: &str| match json[field].as_str() {
                Some(text) => format!("{quote}{text}{quote} | "),
                None => String::new(),
            };
            let line = format!(
                "| {} | {}{} | {} | {}{} |\n",
                subject.code(),
                of_reason("reason", "`"),
                subject.meaning(),
                subject.hint(),
                of_reason("retry", ""),
                subject.exit(),
            );
            page.push_str(&line);
        }
    }
    page
}
