//! Text that is safe to print and fits: escaping, width, truncation, wrapping.
//!
//! Span names and messages come from anywhere. A terminal obeys control characters,
//! and bidirectional marks make text read as something else, so both are spelt out.

use std::borrow::Cow;

/// Spells out what a terminal would obey instead of show.
///
/// ```
/// assert_eq!(trace_tree::escape("ok"), "ok");
/// assert_eq!(trace_tree::escape("\u{1b}[31mred\n"), "\\u{1b}[31mred\\n");
/// ```
#[must_use]
pub fn escape(text: &str) -> Cow<'_, str> {
    if !text.contains(is_unsafe) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if is_unsafe(character) {
            escaped.extend(character.escape_default());
        } else {
            escaped.push(character);
        }
    }
    Cow::Owned(escaped)
}

fn is_unsafe(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{61c}' | '\u{180e}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}')
}

/// How many columns the text takes.
pub(crate) fn width(text: &str) -> usize {
    if text.is_ascii() {
        return text.len();
    }
    text.chars().map(columns).sum()
}

/// East Asian and emoji characters take two columns, combining ones none. The ranges
/// are the common ones: a rare miss shifts one line and loses nothing.
fn columns(character: char) -> usize {
    match character {
        '\u{300}'..='\u{36f}' | '\u{fe00}'..='\u{fe0f}' => 0,
        '\u{1100}'..='\u{115f}'
        | '\u{2e80}'..='\u{a4cf}'
        | '\u{ac00}'..='\u{d7a3}'
        | '\u{f900}'..='\u{faff}'
        | '\u{fe30}'..='\u{fe6f}'
        | '\u{ff00}'..='\u{ff60}'
        | '\u{ffe0}'..='\u{ffe6}'
        | '\u{1f300}'..='\u{1f64f}'
        | '\u{1f680}'..='\u{1f6ff}'
        | '\u{1f900}'..='\u{1f9ff}'
        | '\u{20000}'..='\u{3fffd}' => 2,
        _ => 1,
    }
}

/// The text itself, or its beginning and `…` in at most `limit` columns.
pub(crate) fn truncate(text: &str, limit: usize) -> Cow<'_, str> {
    if width(text) <= limit {
        return Cow::Borrowed(text);
    }
    let mut short = String::new();
    let mut used = 0;
    for character in text.chars() {
        used += columns(character);
        if used + 1 > limit {
            break;
        }
        short.push(character);
    }
    let mut short = short.trim_end().to_owned();
    short.push('…');
    Cow::Owned(short)
}

/// Lines of at most `limit` columns, broken between words where that is possible.
pub(crate) fn wrap(text: &str, limit: usize) -> Vec<String> {
    let limit = limit.max(2);
    let mut lines = Vec::new();
    let mut line = String::new();
    let mut used = 0;
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let word_width = width(word);
        if used > 0 && used + 1 + word_width <= limit {
            line.push(' ');
            line.push_str(word);
            used += 1 + word_width;
            continue;
        }
        if used > 0 {
            lines.push(std::mem::take(&mut line));
            used = 0;
        }
        for character in word.chars() {
            let columns = columns(character);
            if used + columns > limit {
                lines.push(std::mem::take(&mut line));
                used = 0;
            }
            line.push(character);
            used += columns;
        }
    }
    if !line.is_empty() {
        lines.push(line);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_spelt_out() {
        assert_eq!(escape("a\u{9b}31m"), "a\\u{9b}31m");
        assert_eq!(escape("pay\u{202e}dnufer"), "pay\\u{202e}dnufer");
        assert_eq!(escape("SELECT … FROM größe"), "SELECT … FROM größe");
    }

    #[test]
    fn a_long_text_is_cut_with_an_ellipsis() {
        assert_eq!(truncate("inventory", 9), "inventory");
        assert_eq!(truncate("inventory", 5), "inve…");
        assert_eq!(truncate("在庫確認", 5), "在庫…");
        assert_eq!(truncate("SELECT … FROM", 8), "SELECT…");
    }

    #[test]
    fn wrapping_breaks_between_words_and_splits_only_what_is_too_long() {
        assert_eq!(wrap("a bc def", 4), ["a bc", "def"]);
        assert_eq!(wrap("abcdef g", 4), ["abcd", "ef g"]);
        assert!(wrap("", 4).is_empty());
    }
}
