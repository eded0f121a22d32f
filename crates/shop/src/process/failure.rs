//! What is told of a part that ended by itself: how, and its last words.

use std::collections::VecDeque;
use std::fmt;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::ExitStatus;

/// Lines of a log that are shown when its part failed.
const LOG_TAIL: usize = 20;

/// A part of the stack ended though nobody stopped it.
#[derive(Debug, Clone)]
pub struct PartFailed {
    pub part: String,
    pub status: String,
    /// Whether it ended in order, with exit status 0.
    pub orderly: bool,
    pub log: PathBuf,
    pub last_lines: Vec<String>,
}

impl PartFailed {
    pub(super) fn new(name: &str, status: Option<ExitStatus>, log: &Path) -> Self {
        Self {
            part: name.to_owned(),
            status: status.map_or_else(|| "it was given up".to_owned(), |ended| ended.to_string()),
            orderly: status.is_some_and(|status| status.success()),
            log: log.to_path_buf(),
            last_lines: last_lines(log, LOG_TAIL),
        }
    }
}

impl fmt::Display for PartFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} stopped unexpectedly ({})", self.part, self.status)?;
        if self.last_lines.is_empty() {
            return write!(f, "; its log is empty");
        }
        write!(f, "; the last lines of its log:")?;
        for line in &self.last_lines {
            write!(f, "\n    {line}")?;
        }
        Ok(())
    }
}

impl std::error::Error for PartFailed {}

/// The end of a log, to be put behind a sentence.
pub(super) fn log_excerpt(log: &Path) -> String {
    let lines = last_lines(log, LOG_TAIL);
    if lines.is_empty() {
        return "; its log is empty".to_owned();
    }
    format!("; the last lines of its log:\n    {}", lines.join("\n    "))
}

/// The last lines of a log, without the rest in memory.
pub fn last_lines(log: &Path, count: usize) -> Vec<String> {
    let Ok(file) = std::fs::File::open(log) else {
        return Vec::new();
    };
    let mut last = VecDeque::with_capacity(count + 1);
    for line in BufReader::new(file).split(b'\n').map_while(Result::ok) {
        last.push_back(String::from_utf8_lossy(&line).into_owned());
        if last.len() > count {
            last.pop_front();
        }
    }
    last.into()
}
