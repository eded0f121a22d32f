//! How a trace is shown: for eyes, for programs, in colour or plain.

use std::{io::IsTerminal, time::Duration};

use clap::Args;
use trace_tree::{TraceTree, json, render, slow};

use crate::{history, tempo::Tempo};

/// The flags that say how a trace is shown.
#[derive(Debug, Clone, Args)]
pub struct ViewArgs {
    /// Every span, with its service and kind, instead of the folded tree.
    #[arg(long)]
    pub full: bool,

    /// The tree as JSON.
    #[arg(long)]
    pub json: bool,

    /// Columns to fill [default: the terminal's, or 100].
    #[arg(long)]
    pub width: Option<usize>,

    /// When to use colour.
    #[arg(long, value_enum, default_value = "auto")]
    pub color: Color,

    /// How long to wait for the whole trace.
    #[arg(long, default_value = "10s", value_parser = humantime::parse_duration)]
    pub wait: Duration,
}

/// When to use colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Color {
    /// When the output is a terminal and `NO_COLOR` is not set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl ViewArgs {
    /// The trace as text, with the slow line marked by what is usual for it.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn show(&self, tempo: &Tempo, tree: &TraceTree) -> anyhow::Result<String> {
        let baseline = history::baseline(tempo, tree).await?;
        let mark = slow::mark(tree, Some(&baseline));
        if self.json {
            let options = json::Options {
                full: self.full,
                slow: mark.as_ref(),
            };
            return Ok(json::text(tree, &options)?);
        }
        let options = render::Options {
            width: self.columns(),
            color: self.use_color(),
            full: self.full,
            slow: mark.as_ref(),
        };
        Ok(render::text(tree, &options))
    }

    fn columns(&self) -> usize {
        self.width
            .or_else(|| terminal_size::terminal_size().map(|(width, _)| usize::from(width.0)))
            .unwrap_or(100)
    }

    fn use_color(&self) -> bool {
        match self.color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => {
                std::io::stdout().is_terminal()
                    && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
            }
        }
    }
}
