//! `cargo shop doctor`.
#![expect(clippy::print_stdout, reason = "the report is the output")]

use std::process::ExitCode;

use owo_colors::OwoColorize;
use shop::doctor::{self, Verdict};

use super::terminal::takes_colours;

pub(crate) fn run() -> anyhow::Result<ExitCode> {
    println!("{}\n", doctor::who());
    let findings = doctor::examine();
    let colours = takes_colours(&std::io::stdout());
    for finding in &findings {
        let text = finding.to_string();
        match finding.verdict {
            Verdict::Note if colours => println!("{}", text.yellow()),
            Verdict::Blocks if colours => println!("{}", text.red()),
            Verdict::Fine | Verdict::Note | Verdict::Blocks => println!("{text}"),
        }
    }
    if doctor::can_start(&findings) {
        println!("\nNothing is in the way: `cargo shop demo`");
        return Ok(ExitCode::SUCCESS);
    }
    println!("\nMend what is missing, then `cargo shop doctor` again");
    Ok(ExitCode::FAILURE)
}
