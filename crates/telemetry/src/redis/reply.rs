//! What an answer says about its command: how many keys were there, and whether it failed.

use redis::{ErrorKind, RedisError, RedisResult, ServerError, Value};

/// How a command went wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failed {
    /// `error.type`: the server's error code, or a class of what went wrong on this side.
    pub(super) error_type: String,
    /// `db.response.status_code`: the server's error code.
    pub(super) status_code: Option<String>,
    pub(super) description: String,
}

/// The failure in an answer. redis-rs hands the server's errors over as values and turns them
/// into errors only afterwards.
pub(super) fn failure(result: &RedisResult<Value>) -> Option<Failed> {
    match result {
        Ok(value) => first_server_error(value).map(from_server),
        Err(error) => Some(from_client(error)),
    }
}

/// The first failure among the answers of a pipeline.
pub(super) fn pipeline_failure(result: &RedisResult<Vec<Value>>) -> Option<Failed> {
    match result {
        Ok(values) => values.iter().find_map(first_server_error).map(from_server),
        Err(error) => Some(from_client(error)),
    }
}

/// How many keys a read found; `None` for other commands.
pub(super) fn returned_rows(operation: &str, value: &Value) -> Option<i64> {
    let is_read = matches!(
        operation,
        "GET" | "MGET" | "GETEX" | "GETDEL" | "HGET" | "HMGET" | "HGETALL" | "SMEMBERS" | "LRANGE"
    );
    if !is_read {
        return None;
    }
    let rows = match value {
        Value::Nil => 0,
        Value::ServerError(_) => return None,
        Value::Array(values) => values.iter().filter(|v| !matches!(v, Value::Nil)).count(),
        Value::Set(values) => values.len(),
        Value::Map(pairs) => pairs.len(),
        _ => 1,
    };
    i64::try_from(rows).ok()
}

fn first_server_error(value: &Value) -> Option<&ServerError> {
    match value {
        Value::ServerError(error) => Some(error),
        Value::Array(values) => values.iter().find_map(first_server_error),
        _ => None,
    }
}

fn from_server(error: &ServerError) -> Failed {
    let code = error.code().to_owned();
    Failed {
        // What the server says may quote an argument; the code says enough.
        description: format!("Redis answered {code}"),
        error_type: code.clone(),
        status_code: Some(code),
    }
}

fn from_client(error: &RedisError) -> Failed {
    let status_code = error.code().map(str::to_owned);
    let error_type = match (&status_code, error.kind()) {
        (Some(code), _) => code.clone(),
        (None, _) if error.is_timeout() => "timeout".to_owned(),
        (None, _) if error.is_connection_refusal() => "connection_refused".to_owned(),
        (None, ErrorKind::Io) => "io".to_owned(),
        (None, ErrorKind::AuthenticationFailed) => "authentication_failed".to_owned(),
        (None, ErrorKind::Parse) => "protocol".to_owned(),
        (None, _) => "client".to_owned(),
    };
    let description = match &status_code {
        Some(code) => format!("Redis answered {code}"),
        None => error.category().to_owned(),
    };
    Failed {
        error_type,
        status_code,
        description,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_read_counts_what_it_found() {
        let hit = Value::BulkString(b"1".to_vec());
        assert_eq!(returned_rows("GET", &Value::Nil), Some(0));
        assert_eq!(returned_rows("GET", &hit), Some(1));
        assert_eq!(
            returned_rows("MGET", &Value::Array(vec![hit.clone(), Value::Nil, hit])),
            Some(2)
        );
        assert_eq!(returned_rows("SET", &Value::Okay), None);
    }

    #[test]
    fn a_refused_connection_and_a_timeout_are_told_apart() {
        let refused = RedisError::from(std::io::Error::from(std::io::ErrorKind::ConnectionRefused));
        let late = RedisError::from(std::io::Error::from(std::io::ErrorKind::TimedOut));
        assert_eq!(from_client(&refused).error_type, "connection_refused");
        assert_eq!(from_client(&late).error_type, "timeout");
    }
}
