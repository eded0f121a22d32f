//! The subset of TraceQL that is understood: one filter, conditions joined by `&&`.
//! Everything else is refused with the place where it starts.
//!
//! ```text
//! { }   { true }
//! { resource.service.name = "orders" && name != "x" && duration > 100ms && status = error }
//! ```

use crate::duration;
use crate::query::{Condition, Field, KINDS, Literal, Operator, STATUSES};

/// Where and why a query is not understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("parse error at line {line}, col {column}: {reason}")]
pub(crate) struct ParseError {
    line: usize,
    column: usize,
    reason: String,
}

/// Conditions that one span must meet together.
pub(crate) fn parse(text: &str) -> Result<Vec<Condition>, ParseError> {
    let mut parser = Parser { text, position: 0 };
    parser.symbol("{")?;
    let mut conditions = Vec::new();
    if !parser.accept("}") {
        loop {
            if !parser.accept_word("true") {
                conditions.push(parser.condition()?);
            }
            if parser.accept("}") {
                break;
            }
            parser.symbol("&&")?;
        }
    }
    if parser.text[parser.start()..].is_empty() {
        return Ok(conditions);
    }
    Err(parser.unexpected("the end of the query"))
}

struct Parser<'a> {
    text: &'a str,
    position: usize,
}

impl<'a> Parser<'a> {
    fn condition(&mut self) -> Result<Condition, ParseError> {
        let field = self.field()?;
        let operator_start = self.start();
        let operator = self.operator()?;
        let literal_start = self.start();
        let literal = self.literal()?;
        if !fits(&field, &literal) {
            return Err(self.error_at(literal_start, "the value's type does not fit the field"));
        }
        let ordered = !matches!(operator, Operator::Equal | Operator::NotEqual);
        if ordered
            && matches!(
                literal,
                Literal::Status(_) | Literal::Kind(_) | Literal::Bool(_)
            )
        {
            return Err(self.error_at(
                operator_start,
                "this value can only be compared by = and !=",
            ));
        }
        Ok(Condition {
            field,
            operator,
            literal,
        })
    }

    fn field(&mut self) -> Result<Field, ParseError> {
        let start = self.start();
        for (prefix, scoped) in [
            ("resource.", Field::Resource as fn(String) -> Field),
            ("span.", Field::Span),
            (".", Field::Any),
        ] {
            if self.rest().starts_with(prefix) {
                self.position += prefix.len();
                return Ok(scoped(self.attribute_name()?));
            }
        }
        let word = self.take_while(|c| c.is_ascii_alphanumeric() || c == ':' || c == '_');
        Ok(match word {
            "name" | "span:name" => Field::Name,
            "duration" | "span:duration" => Field::Duration,
            "status" | "span:status" => Field::Status,
            "statusMessage" | "span:statusMessage" => Field::StatusMessage,
            "kind" | "span:kind" => Field::Kind,
            "rootName" | "trace:rootName" => Field::RootName,
            "rootServiceName" | "trace:rootService" => Field::RootService,
            "traceDuration" | "trace:duration" => Field::TraceDuration,
            _ => {
                self.position = start;
                return Err(self.unexpected("a field"));
            }
        })
    }

    /// Plain, or quoted where it has characters of its own.
    fn attribute_name(&mut self) -> Result<String, ParseError> {
        if self.peek() == Some('"') {
            return self.quoted();
        }
        let name = self.take_while(|c| !c.is_whitespace() && !"{}()=!<>&|\"'`,~^+*%".contains(c));
        if name.is_empty() {
            return Err(self.unexpected("an attribute name"));
        }
        Ok(name.to_owned())
    }

    fn operator(&mut self) -> Result<Operator, ParseError> {
        self.start();
        let rest = self.rest();
        if ["=~", "!~", "=="]
            .iter()
            .any(|known| rest.starts_with(known))
        {
            return Err(self.unexpected("one of = != > < >= <="));
        }
        for (symbol, operator) in [
            ("!=", Operator::NotEqual),
            (">=", Operator::GreaterOrEqual),
            ("<=", Operator::LessOrEqual),
            ("=", Operator::Equal),
            (">", Operator::Greater),
            ("<", Operator::Less),
        ] {
            if self.accept(symbol) {
                return Ok(operator);
            }
        }
        Err(self.unexpected("one of = != > < >= <="))
    }

    fn literal(&mut self) -> Result<Literal, ParseError> {
        let start = self.start();
        if matches!(self.peek(), Some('"' | '`')) {
            return self.quoted().map(Literal::Text);
        }
        let word = self.take_while(|c| c.is_alphanumeric() || c == '.' || c == '-');
        let number = |table: &[&str]| {
            let place = table.iter().position(|name| *name == word)?;
            u8::try_from(place).ok()
        };
        if let Ok(value) = word.parse() {
            return Ok(Literal::Bool(value));
        }
        if let Some(status) = number(&STATUSES) {
            return Ok(Literal::Status(status));
        }
        if let Some(kind) = number(&KINDS) {
            return Ok(Literal::Kind(kind));
        }
        if word.starts_with(|c: char| c.is_ascii_digit() || c == '-' || c == '.') {
            if let Ok(value) = word.parse() {
                return Ok(Literal::Int(value));
            }
            if let Ok(value) = word.parse() {
                return Ok(Literal::Float(value));
            }
            if let Some(value) = duration::parse(word) {
                return Ok(Literal::Duration(value));
            }
        }
        self.position = start;
        Err(self.unexpected("a value"))
    }

    fn quoted(&mut self) -> Result<String, ParseError> {
        let start = self.position;
        let quote = self.peek();
        let mut value = String::new();
        let mut characters = self.rest().char_indices();
        characters.next();
        while let Some((index, character)) = characters.next() {
            if Some(character) == quote {
                self.position = start + index + 1;
                return Ok(value);
            }
            // Backquotes take everything as it stands.
            if character == '\\' && quote == Some('"') {
                match characters.next() {
                    Some((_, 'n')) => value.push('\n'),
                    Some((_, 't')) => value.push('\t'),
                    Some((_, other)) => value.push(other),
                    None => break,
                }
            } else {
                value.push(character);
            }
        }
        Err(self.error_at(start, "literal not terminated"))
    }

    fn symbol(&mut self, symbol: &str) -> Result<(), ParseError> {
        if self.accept(symbol) {
            return Ok(());
        }
        Err(self.unexpected(&format!("`{symbol}`")))
    }

    fn accept(&mut self, symbol: &str) -> bool {
        self.start();
        let found = self.rest().starts_with(symbol);
        if found {
            self.position += symbol.len();
        }
        found
    }

    fn accept_word(&mut self, word: &str) -> bool {
        self.start();
        let found = self.rest().strip_prefix(word).is_some_and(|after| {
            !after.starts_with(|c: char| c.is_ascii_alphanumeric() || "._:".contains(c))
        });
        if found {
            self.position += word.len();
        }
        found
    }

    /// Passes white space over and answers where the next token starts.
    fn start(&mut self) -> usize {
        let rest = self.rest();
        self.position += rest.len() - rest.trim_start().len();
        self.position
    }

    fn take_while(&mut self, keep: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let end = rest.find(|c| !keep(c)).unwrap_or(rest.len());
        self.position += end;
        &rest[..end]
    }

    fn rest(&self) -> &'a str {
        &self.text[self.position..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn unexpected(&mut self, expected: &str) -> ParseError {
        let start = self.start();
        let rest = self.rest();
        let end = rest
            .char_indices()
            .skip(1)
            .find(|(_, c)| c.is_whitespace() || "{}()".contains(*c))
            .map_or(rest.len(), |(index, _)| index);
        let found: String = rest[..end].chars().take(40).collect();
        if found.is_empty() {
            return self.error_at(start, &format!("unexpected end, expected {expected}"));
        }
        self.error_at(
            start,
            &format!("syntax error: unexpected `{found}`, expected {expected}"),
        )
    }

    fn error_at(&self, position: usize, reason: &str) -> ParseError {
        let before = &self.text[..position];
        let line_start = before.rfind('\n').map_or(0, |index| index + 1);
        ParseError {
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            reason: reason.to_owned(),
        }
    }
}

fn fits(field: &Field, literal: &Literal) -> bool {
    match field {
        Field::Name | Field::StatusMessage | Field::RootName | Field::RootService => {
            matches!(literal, Literal::Text(_))
        }
        Field::Duration | Field::TraceDuration => matches!(literal, Literal::Duration(_)),
        Field::Status => matches!(literal, Literal::Status(_)),
        Field::Kind => matches!(literal, Literal::Kind(_)),
        Field::Span(_) | Field::Resource(_) | Field::Any(_) => {
            !matches!(literal, Literal::Status(_) | Literal::Kind(_))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_filter_has_no_conditions() {
        for query in ["{}", "{ }", " { true } ", "{true}"] {
            assert_eq!(parse(query), Ok(Vec::new()), "{query}");
        }
    }

    #[test]
    fn conditions_are_joined_by_and() {
        let query = r#"{ resource.service.name = "orders" && name!="a \"b\"" && duration>1.5s
            && status = error && kind = server && span.tenant.id = `acme` && .n >= -5
            && span."odd key" < 2.5 && .flag = true && trace:rootService = "x" }"#;
        let conditions = parse(query).unwrap();
        let fields: Vec<_> = conditions.iter().map(|c| c.field.clone()).collect();
        assert_eq!(
            fields,
            [
                Field::Resource("service.name".to_owned()),
                Field::Name,
                Field::Duration,
                Field::Status,
                Field::Kind,
                Field::Span("tenant.id".to_owned()),
                Field::Any("n".to_owned()),
                Field::Span("odd key".to_owned()),
                Field::Any("flag".to_owned()),
                Field::RootService,
            ]
        );
        assert_eq!(conditions[1].literal, Literal::Text("a \"b\"".to_owned()));
        assert_eq!(conditions[2].literal, Literal::Duration(1_500_000_000));
        assert_eq!(conditions[3].literal, Literal::Status(2));
        assert_eq!(conditions[6].literal, Literal::Int(-5));
        assert_eq!(conditions[7].literal, Literal::Float(2.5));
    }

    #[test]
    fn what_is_not_understood_is_refused_with_its_place() {
        for (query, message) in [
            (
                "",
                "parse error at line 1, col 1: unexpected end, expected `{`",
            ),
            (
                "{",
                "parse error at line 1, col 2: unexpected end, expected a field",
            ),
            (
                "{ name =~ \"x\" }",
                "parse error at line 1, col 8: syntax error: unexpected `=~`, expected one of = != > < >= <=",
            ),
            (
                "{ name = \"x\" || status = error }",
                "parse error at line 1, col 14: syntax error: unexpected `||`, expected `&&`",
            ),
            (
                "{ status = error } | count() > 2",
                "parse error at line 1, col 20: syntax error: unexpected `|`, expected the end of the query",
            ),
            (
                "{ status = error\n  && duration > 5 }",
                "parse error at line 2, col 17: the value's type does not fit the field",
            ),
            (
                "{ status > error }",
                "parse error at line 1, col 10: this value can only be compared by = and !=",
            ),
            (
                "{ name = \"x }",
                "parse error at line 1, col 10: literal not terminated",
            ),
            (
                "{ nestedSetParent < 0 }",
                "parse error at line 1, col 3: syntax error: unexpected `nestedSetParent`, expected a field",
            ),
            (
                "{ . = 1 }",
                "parse error at line 1, col 5: syntax error: unexpected `=`, expected an attribute name",
            ),
        ] {
            assert_eq!(parse(query).unwrap_err().to_string(), message, "{query}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in "[{}a-z.:\"`=<>&|! \\n\\\\0-9é-]{0,60}") {
            let _ = parse(&text);
        }
    }
}
