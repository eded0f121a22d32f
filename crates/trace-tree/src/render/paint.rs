//! Colours, or none.

use owo_colors::Style;

/// Writes text in colour when colours are wanted, and as it is when not.
#[derive(Debug, Clone, Copy)]
pub(super) struct Paint {
    color: bool,
}

/// What a piece of text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    Plain,
    Strong,
    Dim,
    Event,
    Slow,
    Error,
}

impl Paint {
    pub(super) const fn new(color: bool) -> Self {
        Self { color }
    }

    pub(super) fn put(self, out: &mut String, text: &str, tone: Tone) {
        if !self.color || tone == Tone::Plain || text.is_empty() {
            out.push_str(text);
            return;
        }
        let style = match tone {
            Tone::Plain => Style::new(),
            Tone::Strong => Style::new().bold(),
            Tone::Dim => Style::new().dimmed(),
            Tone::Event => Style::new().cyan(),
            Tone::Slow => Style::new().yellow().bold(),
            Tone::Error => Style::new().red(),
        };
        out.push_str(&style.style(text).to_string());
    }
}
