//! Cuts a SQL text into the few tokens that naming a statement needs.
//!
//! It knows where PostgreSQL's strings, comments and quoted identifiers begin and end
//! (<https://www.postgresql.org/docs/current/sql-syntax-lexical.html>), so that a keyword
//! inside one of them is never mistaken for a keyword.

/// One token; strings, numbers and comments are only passed over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token<'a> {
    /// A keyword or an identifier without quotes, as written.
    Word(&'a str),
    /// An identifier in double quotes, without them.
    Quoted(String),
    /// Any other visible character.
    Mark(char),
    /// A string, a number or a parameter: something that names nothing.
    Value,
}

impl Token<'_> {
    /// Whether this is the keyword, whatever its case. A quoted identifier never is.
    pub(super) fn is(&self, keyword: &str) -> bool {
        matches!(self, Token::Word(word) if word.eq_ignore_ascii_case(keyword))
    }
}

/// A statement longer than this many tokens is a bulk of values; its name stands at its head.
const MAX_TOKENS: usize = 4096;

/// The tokens of a statement, at most [`MAX_TOKENS`].
pub(super) fn tokens(sql: &str) -> Vec<Token<'_>> {
    let mut lexer = Lexer { rest: sql };
    let mut tokens = Vec::new();
    while tokens.len() < MAX_TOKENS {
        match lexer.next() {
            Some(token) => tokens.push(token),
            None => break,
        }
    }
    tokens
}

/// The text of the comment a statement begins with, if it begins with one.
pub(super) fn leading_comment(sql: &str) -> Option<&str> {
    let body = sql.trim_start().strip_prefix("/*")?;
    body.split_once("*/").map(|(comment, _)| comment.trim())
}

struct Lexer<'a> {
    rest: &'a str,
}

impl<'a> Lexer<'a> {
    fn next(&mut self) -> Option<Token<'a>> {
        loop {
            self.rest = self.rest.trim_start();
            let first = self.rest.chars().next()?;
            if self.rest.starts_with("--") {
                self.skip_line();
            } else if self.rest.starts_with("/*") {
                self.skip_comment();
            } else {
                return Some(self.token(first));
            }
        }
    }

    fn token(&mut self, first: char) -> Token<'a> {
        match first {
            '\'' => {
                self.skip_string(false);
                Token::Value
            }
            '"' => Token::Quoted(self.quoted()),
            '$' => self.dollar(),
            '0'..='9' => {
                self.take_while(|c| c.is_ascii_alphanumeric() || c == '.' || c == '_');
                Token::Value
            }
            c if is_word_start(c) => self.word(),
            c => {
                self.advance(c.len_utf8());
                Token::Mark(c)
            }
        }
    }

    fn word(&mut self) -> Token<'a> {
        let word = self.take_while(|c| is_word_start(c) || c.is_ascii_digit() || c == '$');
        // E'it\'s', B'01', X'1F', N'text': a prefix that touches the quote is part of the string.
        if self.rest.starts_with('\'') && word.len() == 1 {
            let escapes = word.eq_ignore_ascii_case("e");
            if escapes || ["b", "x", "n"].iter().any(|p| word.eq_ignore_ascii_case(p)) {
                self.skip_string(escapes);
                return Token::Value;
            }
        }
        Token::Word(word)
    }

    /// `$1` or `$tag$ … $tag$`.
    fn dollar(&mut self) -> Token<'a> {
        let after = &self.rest[1..];
        let tag_len = after
            .find(|c: char| !(is_word_start(c) || c.is_ascii_digit()))
            .unwrap_or(after.len());
        let is_string =
            after[tag_len..].starts_with('$') && !after.starts_with(|c: char| c.is_ascii_digit());
        if is_string {
            let fence = &self.rest[..tag_len + 2];
            let body = &self.rest[fence.len()..];
            let end = body.find(fence).map_or(body.len(), |at| at + fence.len());
            self.rest = &body[end..];
        } else {
            self.advance(1 + tag_len);
        }
        Token::Value
    }

    /// Passes over `'…'` with its doubled quotes, and its backslashes if it has them.
    fn skip_string(&mut self, escapes: bool) {
        let mut chars = self.rest.char_indices().skip(1).peekable();
        while let Some((at, c)) = chars.next() {
            match c {
                '\\' if escapes => {
                    chars.next();
                }
                '\'' if chars.peek().is_some_and(|(_, next)| *next == '\'') => {
                    chars.next();
                }
                '\'' => {
                    self.advance(at + 1);
                    return;
                }
                _ => {}
            }
        }
        self.rest = "";
    }

    fn quoted(&mut self) -> String {
        let mut name = String::new();
        let mut chars = self.rest.char_indices().skip(1).peekable();
        while let Some((at, c)) = chars.next() {
            if c != '"' {
                name.push(c);
            } else if chars.peek().is_some_and(|(_, next)| *next == '"') {
                chars.next();
                name.push('"');
            } else {
                self.advance(at + 1);
                return name;
            }
        }
        self.rest = "";
        name
    }

    fn skip_line(&mut self) {
        self.rest = self.rest.split_once('\n').map_or("", |(_, rest)| rest);
    }

    /// PostgreSQL's comments nest.
    fn skip_comment(&mut self) {
        let mut depth = 0_usize;
        let bytes = self.rest.as_bytes();
        let mut at = 0;
        while at + 1 < bytes.len() {
            match &bytes[at..at + 2] {
                b"/*" => {
                    depth += 1;
                    at += 2;
                }
                b"*/" => {
                    depth = depth.saturating_sub(1);
                    at += 2;
                    if depth == 0 {
                        // Both bytes are ASCII, so this is a character boundary.
                        self.advance(at);
                        return;
                    }
                }
                _ => at += 1,
            }
        }
        self.rest = "";
    }

    fn take_while(&mut self, keep: impl Fn(char) -> bool) -> &'a str {
        let end = self.rest.find(|c| !keep(c)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at(end);
        self.rest = rest;
        taken
    }

    fn advance(&mut self, bytes: usize) {
        self.rest = self.rest.get(bytes..).unwrap_or("");
    }
}

fn is_word_start(c: char) -> bool {
    c == '_' || c.is_alphabetic()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(sql: &str) -> Vec<String> {
        tokens(sql)
            .into_iter()
            .filter_map(|token| match token {
                Token::Word(word) => Some(word.to_owned()),
                Token::Quoted(name) => Some(format!("\"{name}\"")),
                Token::Mark(_) | Token::Value => None,
            })
            .collect()
    }

    #[test]
    fn keywords_inside_strings_and_comments_are_not_seen() {
        assert_eq!(
            words("SELECT 'FROM a' -- FROM b\n, /* FROM c /* d */ */ x"),
            ["SELECT", "x"]
        );
        assert_eq!(
            words(r"SELECT E'it\'s FROM a', $q$ FROM b $q$, $1, 1.5e3"),
            ["SELECT"]
        );
        assert_eq!(words("SELECT 'it''s FROM a' AS b"), ["SELECT", "AS", "b"]);
    }

    #[test]
    fn quoted_identifiers_lose_their_quotes() {
        assert_eq!(
            words(r#"UPDATE "odd ""name""" SET x"#),
            ["UPDATE", "\"odd \"name\"\"", "SET", "x"]
        );
    }

    #[test]
    fn an_unfinished_string_or_comment_ends_the_text() {
        for sql in [
            "SELECT 'a",
            "SELECT \"a",
            "SELECT /* a",
            "SELECT $x$ a",
            "SELECT $",
        ] {
            assert_eq!(words(sql)[0], "SELECT", "{sql}");
        }
    }
}
