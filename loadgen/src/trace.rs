//! `loadgen trace ID`: a stored trace, printed.

use anyhow::bail;
use clap::Args;

use crate::{history, target::TargetArgs, tempo::Tempo, view::ViewArgs};

/// Prints a stored trace.
#[derive(Debug, Clone, Args)]
pub struct TraceArgs {
    /// The trace's id: 32 hex digits, as problem bodies and the `x-trace-id` header give it.
    #[arg(value_parser = parse_trace_id)]
    trace_id: String,

    #[command(flatten)]
    target: TargetArgs,

    #[command(flatten)]
    view: ViewArgs,
}

fn parse_trace_id(text: &str) -> Result<String, String> {
    let is_id = (1..=32).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_hexdigit());
    if is_id {
        Ok(format!("{:0>32}", text.to_ascii_lowercase()))
    } else {
        Err("a trace id is up to 32 hex digits; a checkout prints its own, and so does the `x-trace-id` header".to_owned())
    }
}

impl TraceArgs {
    /// Prints the trace once it is whole.
    ///
    /// # Errors
    /// When the store does not answer or knows no such trace.
    pub async fn run(&self, out: &mut impl std::io::Write) -> anyhow::Result<()> {
        let target = self.target.resolve();
        let tempo = Tempo::new(&target.tempo_url)?;
        let tree = history::settled(&tempo, &self.trace_id, self.view.wait).await?;
        if tree.is_empty() {
            bail!(
                "{} knows no trace {}; it may have been dropped for newer ones, or was not sampled",
                target.tempo_url,
                self.trace_id
            );
        }
        writeln!(out, "{}", self.view.show(&tempo, &tree).await?.trim_end())?;
        Ok(())
    }
}
