//! Where variables come from, and how their values are read.

use std::time::Duration;

use super::InitError;
use crate::percent::decoded;

/// A set of variables: the process's environment, or a closure in a test.
pub(crate) trait Source {
    /// The value as it stands; `None` if it is not set or no Unicode.
    fn get(&self, variable: &str) -> Option<String>;

    /// The trimmed value. An empty variable counts as unset, as the specification says.
    fn text(&self, variable: &'static str) -> Option<String> {
        let value = self.get(variable)?;
        let value = value.trim();
        (!value.is_empty()).then(|| value.to_owned())
    }

    fn boolean(&self, variable: &'static str) -> Result<Option<bool>, InitError> {
        match self.text(variable) {
            None => Ok(None),
            Some(value) if value.eq_ignore_ascii_case("true") => Ok(Some(true)),
            Some(value) if value.eq_ignore_ascii_case("false") => Ok(Some(false)),
            Some(value) => Err(InitError::value(variable, &value, "true or false")),
        }
    }

    fn millis(&self, variable: &'static str) -> Result<Option<Duration>, InitError> {
        let Some(value) = self.text(variable) else {
            return Ok(None);
        };
        match value.parse::<u64>() {
            Ok(millis) if millis > 0 => Ok(Some(Duration::from_millis(millis))),
            _ => Err(InitError::value(
                variable,
                &value,
                "a whole number of milliseconds above 0",
            )),
        }
    }

    fn count(&self, variable: &'static str) -> Result<Option<usize>, InitError> {
        let Some(value) = self.text(variable) else {
            return Ok(None);
        };
        match value.parse::<usize>() {
            Ok(count) if count > 0 => Ok(Some(count)),
            _ => Err(InitError::value(variable, &value, "a whole number above 0")),
        }
    }

    /// `key=value,key=value` with percent-encoded values. The whole value is not
    /// repeated in the error: the variables in this form may hold tokens.
    fn pairs(&self, variable: &'static str) -> Result<Vec<(String, String)>, InitError> {
        let Some(text) = self.text(variable) else {
            return Ok(Vec::new());
        };
        text.split(',')
            .map(str::trim)
            .filter(|pair| !pair.is_empty())
            .enumerate()
            .map(|(index, pair)| {
                read_pair(pair).ok_or_else(|| {
                    InitError::value(
                        variable,
                        &format!("entry {}, not repeated as it may be secret", index + 1),
                        "key=value pairs with commas between them and values percent-encoded",
                    )
                })
            })
            .collect()
    }
}

impl<F: Fn(&str) -> Option<String>> Source for F {
    fn get(&self, variable: &str) -> Option<String> {
        self(variable)
    }
}

fn read_pair(pair: &str) -> Option<(String, String)> {
    let (key, value) = pair.split_once('=')?;
    let key = key.trim();
    (!key.is_empty()).then_some(())?;
    Some((key.to_owned(), decoded(value.trim())?))
}
