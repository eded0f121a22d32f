//! The parameters of `/api/search`: read once, checked with Tempo's rules and wording.

use crate::duration;
use crate::query::{Filter, TagFilter};
use crate::query_api::BadRequest;
use crate::traceql;

/// A checked search.
#[derive(Debug)]
pub(crate) struct SearchRequest {
    pub(crate) filter: Filter,
    pub(crate) range: TimeRange,
    pub(crate) min_duration: Option<u64>,
    pub(crate) max_duration: Option<u64>,
    pub(crate) limit: usize,
    pub(crate) spans_per_set: usize,
}

/// Unix seconds, both or none.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct TimeRange(Option<(u64, u64)>);

/// The decoded query string.
pub(crate) struct Parameters(Vec<(String, String)>);

const DEFAULT_LIMIT: usize = 20;
const MAX_LIMIT: usize = 100_000;
const DEFAULT_SPANS_PER_SET: usize = 3;
const MAX_SPANS_PER_SET: usize = 100;

impl SearchRequest {
    pub(crate) fn parse(query: Option<&str>) -> Result<Self, BadRequest> {
        let parameters = Parameters::parse(query)?;
        let filter = match (parameters.get("q"), parameters.get("tags")) {
            (Some(_), Some(_)) => {
                return Err(BadRequest(
                    "invalid request: can't specify tags and q in the same query".to_owned(),
                ));
            }
            (Some(query), None) => Filter::TraceQl(
                traceql::parse(query)
                    .map_err(|error| BadRequest(format!("invalid TraceQL query: {error}")))?,
            ),
            (None, tags) => Filter::Tags(parse_tags(tags.unwrap_or_default())?),
        };
        let min_duration = parameters.duration("minDuration")?;
        let max_duration = parameters.duration("maxDuration")?;
        if let (Some(min), Some(max)) = (min_duration, max_duration)
            && min > max
        {
            return Err(BadRequest(
                "invalid maxDuration: must be greater than minDuration".to_owned(),
            ));
        }
        Ok(Self {
            filter,
            range: TimeRange::of(&parameters)?,
            min_duration,
            max_duration,
            limit: parameters.count("limit", DEFAULT_LIMIT)?.min(MAX_LIMIT),
            spans_per_set: parameters
                .count("spss", DEFAULT_SPANS_PER_SET)?
                .min(MAX_SPANS_PER_SET),
        })
    }

    pub(crate) fn duration_fits(&self, duration: u64) -> bool {
        self.min_duration.is_none_or(|min| duration >= min)
            && self.max_duration.is_none_or(|max| duration <= max)
    }
}

impl TimeRange {
    pub(crate) fn of(parameters: &Parameters) -> Result<Self, BadRequest> {
        let start = parameters.seconds("start")?;
        let end = parameters.seconds("end")?;
        if start == 0 && end == 0 {
            return Ok(Self(None));
        }
        if end <= start {
            return Err(BadRequest(format!(
                "http parameter start must be before end. received start={start} end={end}"
            )));
        }
        Ok(Self(Some((start, end))))
    }

    /// Whether a trace, in nanoseconds, lies in the range at least in part.
    pub(crate) fn overlaps(self, start: u64, end: u64) -> bool {
        const SECOND: u64 = 1_000_000_000;
        self.0.is_none_or(|(from, to)| {
            start <= to.saturating_mul(SECOND) && end >= from.saturating_mul(SECOND)
        })
    }
}

impl Parameters {
    pub(crate) fn parse(query: Option<&str>) -> Result<Self, BadRequest> {
        let pairs = query
            .unwrap_or_default()
            .split('&')
            .filter(|p| !p.is_empty());
        let decoded = pairs.map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            Some((decode(key)?, decode(value)?))
        });
        decoded
            .collect::<Option<_>>()
            .map(Self)
            .ok_or_else(|| BadRequest("invalid query string: bad percent encoding".to_owned()))
    }

    /// The first value of `name`; an empty one counts as absent.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let (_, value) = self.0.iter().find(|(key, _)| key == name)?;
        (!value.is_empty()).then_some(value)
    }

    fn duration(&self, name: &str) -> Result<Option<u64>, BadRequest> {
        let Some(text) = self.get(name) else {
            return Ok(None);
        };
        duration::parse(text)
            .map(Some)
            .ok_or_else(|| BadRequest(format!("invalid {name}: invalid duration \"{text}\"")))
    }

    fn seconds(&self, name: &str) -> Result<u64, BadRequest> {
        let Some(text) = self.get(name) else {
            return Ok(0);
        };
        text.parse()
            .map_err(|_| BadRequest(format!("invalid {name}: \"{text}\" is not unix seconds")))
    }

    pub(crate) fn count(&self, name: &str, default: usize) -> Result<usize, BadRequest> {
        let Some(text) = self.get(name) else {
            return Ok(default);
        };
        match text.parse::<i64>() {
            Ok(number) => usize::try_from(number)
                .ok()
                .filter(|number| *number > 0)
                .ok_or_else(|| BadRequest(format!("invalid {name}: must be a positive number"))),
            Err(_) => Err(BadRequest(format!(
                "invalid {name}: \"{text}\" is not a number"
            ))),
        }
    }
}

fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digit = |byte: u8| char::from(byte).to_digit(16);
                let (high, low) = (digit(rest.next()?)?, digit(rest.next()?)?);
                u8::try_from(high << 4 | low).ok()?
            }
            byte => byte,
        });
    }
    String::from_utf8(bytes).ok()
}

/// logfmt: `key=value key="a value" flag`.
fn parse_tags(text: &str) -> Result<Vec<TagFilter>, BadRequest> {
    let mut tags: Vec<TagFilter> = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let position = text.len() - rest.len() + 1;
        let invalid = |what: &str| BadRequest(format!("invalid tags: {what} at pos {position}"));
        let end = rest
            .find(|c: char| c == '=' || c == '"' || c.is_whitespace())
            .unwrap_or(rest.len());
        let key = &rest[..end];
        if key.is_empty() {
            return Err(invalid("unexpected character in place of a key"));
        }
        rest = &rest[end..];
        let mut value = String::new();
        if let Some(after) = rest.strip_prefix('=') {
            (value, rest) = match after.strip_prefix('"') {
                Some(quoted) => {
                    unquote(quoted).ok_or_else(|| invalid("unterminated quoted value"))?
                }
                None => {
                    let end = after.find(char::is_whitespace).unwrap_or(after.len());
                    (after[..end].to_owned(), &after[end..])
                }
            };
            if value.contains('=') && !after.starts_with('"') {
                return Err(invalid("unexpected '=' in a value"));
            }
        }
        if rest.starts_with(|c: char| !c.is_whitespace()) {
            return Err(invalid("unexpected character after a value"));
        }
        if tags.iter().any(|tag| tag.key == key) {
            return Err(BadRequest(format!(
                "invalid tags: tag {key} has been set twice"
            )));
        }
        tags.push(TagFilter::new(key, &value));
        rest = rest.trim_start();
    }
    Ok(tags)
}

/// Reads up to the closing quote; answers the text and what follows.
fn unquote(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((index, character)) = characters.next() {
        match character {
            '"' => return Some((value, &text[index + 1..])),
            '\\' => value.push(match characters.next()?.1 {
                'n' => '\n',
                't' => '\t',
                other => other,
            }),
            other => value.push(other),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(query: &str) -> String {
        SearchRequest::parse(Some(query)).unwrap_err().0
    }

    #[test]
    fn defaults_are_those_of_tempo() {
        let request = SearchRequest::parse(None).unwrap();
        assert_eq!((request.limit, request.spans_per_set), (20, 3));
        assert!(request.range.overlaps(0, 1));
    }

    #[test]
    fn bad_parameters_say_what_is_wrong() {
        assert_eq!(error("limit=0"), "invalid limit: must be a positive number");
        assert_eq!(error("limit=x"), "invalid limit: \"x\" is not a number");
        assert_eq!(
            error("minDuration=10"),
            "invalid minDuration: invalid duration \"10\""
        );
        assert_eq!(
            error("minDuration=2s&maxDuration=1s"),
            "invalid maxDuration: must be greater than minDuration"
        );
        assert_eq!(
            error("start=10&end=5"),
            "http parameter start must be before end. received start=10 end=5"
        );
        assert_eq!(
            error("q={}&tags=a%3Db"),
            "invalid request: can't specify tags and q in the same query"
        );
        assert_eq!(
            error("tags=%zz"),
            "invalid query string: bad percent encoding"
        );
        assert_eq!(
            error("tags=a%3D1+a%3D2"),
            "invalid tags: tag a has been set twice"
        );
        assert!(error("tags=a%3D%22x").contains("unterminated quoted value at pos 1"));
    }

    #[test]
    fn tags_are_logfmt() {
        let tags = parse_tags("service.name=orders  name=\"POST /checkout\" flag").unwrap();
        let keys: Vec<_> = tags.iter().map(|tag| tag.key.as_str()).collect();
        assert_eq!(keys, ["service.name", "name", "flag"]);
        assert_eq!(tags[1].value, "POST /checkout");
    }
}
