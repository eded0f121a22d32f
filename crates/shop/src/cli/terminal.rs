//! Progress for a person: a spinner on a terminal, plain lines in a pipe.
#![expect(
    clippy::print_stderr,
    reason = "progress belongs beside the output, not into it"
)]

use std::io::IsTerminal;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use owo_colors::OwoColorize;
use shop::progress::Progress;

#[derive(Debug, Default)]
pub(crate) struct Terminal {
    spinner: Mutex<Option<ProgressBar>>,
}

impl Terminal {
    /// A line that is no step of its own.
    pub(crate) fn say(&self, line: &str) {
        self.clear();
        eprintln!("{line}");
    }

    /// Takes the spinner away, so that others can write.
    pub(crate) fn clear(&self) {
        if let Some(spinner) = self.lock().take() {
            spinner.finish_and_clear();
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<ProgressBar>> {
        self.spinner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Progress for Terminal {
    fn begin(&self, step: &str) {
        if !std::io::stderr().is_terminal() {
            eprintln!("{step} …");
            return;
        }
        let style = ProgressStyle::with_template("{spinner} {msg} … {elapsed}")
            .unwrap_or_else(|_| ProgressStyle::default_spinner());
        let spinner = ProgressBar::new_spinner().with_style(style);
        spinner.set_message(step.to_owned());
        spinner.enable_steady_tick(Duration::from_millis(100));
        *self.lock() = Some(spinner);
    }

    fn done(&self, result: &str, took: Duration) {
        self.clear();
        let seconds = took.as_secs_f64();
        if takes_colours(&std::io::stderr()) {
            eprintln!("{} {result} ({seconds:.1} s)", "✓".green());
        } else {
            eprintln!("✓ {result} ({seconds:.1} s)");
        }
    }
}

/// A terminal whose user did not refuse colours.
pub(crate) fn takes_colours(stream: &impl IsTerminal) -> bool {
    let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
        || std::env::var_os("TERM").is_some_and(|value| value == "dumb");
    stream.is_terminal() && !refused
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.clear();
    }
}
