//! `moorline completion` and `moorline man`: made from the parser.

use std::path::PathBuf;

use clap::CommandFactory;
use clap_complete::Shell;
use clap_mangen::Man;

use super::exit::Exit;
use super::{Cli, Outcome, output};
use crate::Error;

#[derive(clap::Args, Debug)]
pub(super) struct CompletionArgs {
    /// For which shell.
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

#[derive(clap::Args, Debug)]
pub(super) struct ManArgs {
    /// Write the page of every command into this directory, made if it is not there.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

pub(super) fn completion(args: &CompletionArgs) -> Outcome {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "moorline", &mut script);
    output::bytes(&script)?;
    Ok(Exit::Done)
}

pub(super) fn man(args: &ManArgs) -> Outcome {
    let Some(dir) = &args.dir else {
        let mut page = Vec::new();
        Man::new(Cli::command()).render(&mut page).map_err(Error::Output)?;
        output::bytes(&page)?;
        return Ok(Exit::Done);
    };
    std::fs::create_dir_all(dir)
        .and_then(|()| clap_mangen::generate_to(Cli::command(), dir))
        .map_err(Error::Output)?;
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use super::{ManArgs, man};

    #[test]
    fn every_command_has_a_page() {
        let home = tempfile::tempdir().unwrap();
        let dir = home.path().join("man1");
        man(&ManArgs { dir: Some(dir.clone()) }).unwrap();
        for page in ["moorline", "moorline-worker-list", "moorline-task-retry", "moorline-explain"]
        {
            let text = std::fs::read_to_string(dir.join(format!("{page}.1"))).unwrap();
            assert!(text.contains(".SH NAME"), "{page}");
        }
        assert!(!dir.join("moorline-hash-file.1").exists(), "what is hidden has no page");
    }
}
