//! What a command is called, and which of its arguments are keys.
//!
//! Keys may be shown in development, values never: what is not known to be a key is a `?`, as
//! the conventions ask (<https://opentelemetry.io/docs/specs/semconv/db/redis/>).

use redis::{Arg, Cmd, Pipeline};

/// Most keys of a command, and most commands of a pipeline, that are written out.
const MAX_SHOWN: usize = 16;
/// Longest key that is written out, in characters.
const MAX_KEY: usize = 128;
/// Longest command name that is believed to be one.
const MAX_NAME: usize = 32;

/// A command or a pipeline, described.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Description {
    /// `db.operation.name`: `GET`, `PIPELINE GET`, `MULTI`.
    pub(super) operation: String,
    /// `db.query.summary` and the name of the span: `GET inventory`.
    pub(super) summary: String,
    /// `db.query.text`, if it is wanted: `SET inventory:item_42 ?`.
    pub(super) text: Option<String>,
    /// `db.operation.batch.size`, of two and more.
    pub(super) batch: Option<usize>,
}

/// Describes one command.
pub(super) fn describe(command: &Cmd, tenant: Option<&str>, with_text: bool) -> Description {
    let parts = Parts::of(command, tenant);
    Description {
        summary: joined(&parts.operation, parts.keyspace().as_deref()),
        text: with_text.then(|| parts.text()),
        operation: parts.operation,
        batch: None,
    }
}

/// Describes a pipeline: by its command if all are the same, and by their common keyspace.
pub(super) fn describe_pipeline(
    pipeline: &Pipeline,
    tenant: Option<&str>,
    with_text: bool,
) -> Description {
    let commands: Vec<Parts> = pipeline
        .cmd_iter()
        .map(|command| Parts::of(command, tenant))
        .collect();
    let kind = if pipeline.is_transaction() {
        "MULTI"
    } else {
        "PIPELINE"
    };
    let operation = joined(
        kind,
        common(commands.iter().map(|c| Some(c.operation.clone()))).as_deref(),
    );
    let keyspace = common(commands.iter().map(Parts::keyspace));
    let text = with_text.then(|| {
        let mut shown: Vec<String> = commands.iter().take(MAX_SHOWN).map(Parts::text).collect();
        if commands.len() > MAX_SHOWN {
            shown.push(format!("… {} more", commands.len() - MAX_SHOWN));
        }
        shown.join("; ")
    });
    Description {
        summary: joined(&operation, keyspace.as_deref()),
        text,
        operation,
        batch: (commands.len() >= 2).then_some(commands.len()),
    }
}

fn joined(operation: &str, keyspace: Option<&str>) -> String {
    match keyspace {
        Some(keyspace) => format!("{operation} {keyspace}"),
        None => operation.to_owned(),
    }
}

/// The value that all have, if all have one and it is the same.
fn common(mut values: impl Iterator<Item = Option<String>>) -> Option<String> {
    let first = values.next()??;
    values
        .all(|value| value.as_deref() == Some(&*first))
        .then_some(first)
}

struct Parts {
    operation: String,
    arguments: Vec<Argument>,
}

enum Argument {
    Key(String),
    Value,
}

impl Parts {
    fn of(command: &Cmd, tenant: Option<&str>) -> Self {
        let arguments: Vec<&[u8]> = command
            .args_iter()
            .map(|argument| match argument {
                Arg::Simple(bytes) => bytes,
                _ => b"",
            })
            .collect();
        let operation = arguments
            .first()
            .and_then(|name| operation_name(name))
            .unwrap_or_else(|| "redis".to_owned());
        let keys = Keys::of(&operation, &arguments);
        let arguments = arguments
            .iter()
            .enumerate()
            .skip(1)
            .map(|(at, bytes)| {
                if keys.contains(at, arguments.len()) {
                    Argument::Key(shown_key(bytes, tenant))
                } else {
                    Argument::Value
                }
            })
            .collect();
        Self {
            operation,
            arguments,
        }
    }

    /// The first key up to its first colon. A key without one may be an id, which would make as
    /// many span names as there are keys.
    fn keyspace(&self) -> Option<String> {
        let key = self.arguments.iter().find_map(|argument| match argument {
            Argument::Key(key) => Some(key),
            Argument::Value => None,
        })?;
        let (keyspace, _) = key.split_once(':')?;
        (!keyspace.is_empty()).then(|| keyspace.to_owned())
    }

    fn text(&self) -> String {
        let mut text = self.operation.clone();
        for argument in self.arguments.iter().take(MAX_SHOWN) {
            text.push(' ');
            text.push_str(match argument {
                Argument::Key(key) => key,
                Argument::Value => "?",
            });
        }
        if let Some(more) = self.arguments.len().checked_sub(MAX_SHOWN + 1) {
            text.push_str(&format!(" … {} more", more + 1));
        }
        text
    }
}

/// The command in capitals, if it can be the name of one.
fn operation_name(bytes: &[u8]) -> Option<String> {
    let is_name = !bytes.is_empty()
        && bytes.len() <= MAX_NAME
        && bytes
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'));
    is_name.then(|| String::from_utf8_lossy(bytes).to_uppercase())
}

/// A key as it is shown: without its tenant, on one line, of bounded length.
fn shown_key(bytes: &[u8], tenant: Option<&str>) -> String {
    let key = String::from_utf8_lossy(bytes);
    let key = tenant
        .and_then(|tenant| key.strip_prefix(tenant)?.strip_prefix(':'))
        .unwrap_or(&key);
    key.chars()
        .take(MAX_KEY)
        .map(|c| {
            if c.is_control() || c.is_whitespace() {
                '?'
            } else {
                c
            }
        })
        .collect()
}

/// Which arguments of a command are keys. The command itself is argument 0.
enum Keys {
    None,
    First(usize),
    All,
    /// All but the last, which is a time limit.
    AllButLast,
    /// Key, value, key, value.
    EverySecond,
    /// `EVAL script numkeys key… argument…`.
    Counted(usize),
}

impl Keys {
    fn of(operation: &str, arguments: &[&[u8]]) -> Self {
        match operation {
            "MGET" | "DEL" | "UNLINK" | "EXISTS" | "TOUCH" | "WATCH" | "SINTER" | "SUNION"
            | "SDIFF" | "SINTERSTORE" | "SUNIONSTORE" | "SDIFFSTORE" | "PFCOUNT" | "PFMERGE" => {
                Self::All
            }
            "BLPOP" | "BRPOP" | "BZPOPMIN" | "BZPOPMAX" => Self::AllButLast,
            "MSET" | "MSETNX" => Self::EverySecond,
            "RENAME" | "RENAMENX" | "COPY" | "LMOVE" | "BLMOVE" | "RPOPLPUSH" | "BRPOPLPUSH"
            | "SMOVE" | "LCS" => Self::First(2),
            "EVAL" | "EVALSHA" | "EVAL_RO" | "EVALSHA_RO" | "FCALL" | "FCALL_RO" => {
                let count = arguments
                    .get(2)
                    .and_then(|count| std::str::from_utf8(count).ok()?.parse().ok())
                    .unwrap_or(0);
                Self::Counted(count)
            }
            "AUTH" | "HELLO" | "PING" | "ECHO" | "SELECT" | "SWAPDB" | "INFO" | "TIME"
            | "DBSIZE" | "FLUSHDB" | "FLUSHALL" | "CLIENT" | "CONFIG" | "COMMAND" | "SCRIPT"
            | "FUNCTION" | "SCAN" | "KEYS" | "RANDOMKEY" | "MULTI" | "EXEC" | "DISCARD"
            | "UNWATCH" | "WAIT" | "PUBLISH" | "SUBSCRIBE" | "PSUBSCRIBE" | "UNSUBSCRIBE"
            | "PUNSUBSCRIBE" | "SPUBLISH" | "PUBSUB" | "ACL" | "CLUSTER" | "MEMORY" | "OBJECT"
            | "DEBUG" | "LATENCY" | "SLOWLOG" | "SAVE" | "BGSAVE" | "SHUTDOWN" | "REPLICAOF"
            | "ROLE" | "QUIT" | "RESET" | "XREAD" | "XREADGROUP" | "XGROUP" | "XINFO" | "BITOP"
            | "MIGRATE" | "redis" => Self::None,
            // Most commands are `COMMAND key …`.
            _ => Self::First(1),
        }
    }

    fn contains(&self, at: usize, len: usize) -> bool {
        match self {
            Self::None => false,
            Self::First(count) => at <= *count,
            Self::All => true,
            Self::AllButLast => at + 1 < len,
            Self::EverySecond => at % 2 == 1,
            Self::Counted(count) => at >= 3 && at - 3 < *count,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn command(text: &str) -> Cmd {
        let mut words = text.split(' ');
        let mut command = redis::cmd(words.next().unwrap());
        for word in words {
            command.arg(word);
        }
        command
    }

    fn described(text: &str) -> (String, String) {
        let description = describe(&command(text), Some("acme"), true);
        (description.summary, description.text.unwrap())
    }

    #[track_caller]
    fn check(sent: &str, summary: &str, text: &str) {
        assert_eq!(described(sent), (summary.to_owned(), text.to_owned()));
    }

    #[test]
    fn keys_are_shown_without_their_tenant_and_values_are_not_shown() {
        check(
            "GET acme:inventory:item_42",
            "GET inventory",
            "GET inventory:item_42",
        );
        check(
            "set acme:inventory:item_42 secret EX 60",
            "SET inventory",
            "SET inventory:item_42 ? ? ?",
        );
        check(
            "GET other:inventory:1",
            "GET other",
            "GET other:inventory:1",
        );
        check(
            "HSET acme:cart:7 name secret",
            "HSET cart",
            "HSET cart:7 ? ?",
        );
    }

    #[test]
    fn commands_of_many_keys_show_all_of_them() {
        check("MGET acme:a:1 acme:a:2", "MGET a", "MGET a:1 a:2");
        check(
            "MSET acme:a:1 secret acme:a:2 secret",
            "MSET a",
            "MSET a:1 ? a:2 ?",
        );
        check(
            "EVALSHA digest 1 acme:lock:1 secret",
            "EVALSHA lock",
            "EVALSHA ? ? lock:1 ?",
        );
        check("BLPOP acme:q:1 acme:q:2 5", "BLPOP q", "BLPOP q:1 q:2 ?");
    }

    #[test]
    fn commands_without_keys_show_nothing() {
        check("AUTH secret", "AUTH", "AUTH ?");
        check("PING", "PING", "PING");
        check("KEYS acme:*", "KEYS", "KEYS ?");
    }

    #[test]
    fn a_key_without_keyspace_does_not_name_the_span() {
        check("GET acme:4711", "GET", "GET 4711");
        check("GET :x", "GET", "GET :x");
    }

    #[test]
    fn a_long_list_of_keys_is_cut() {
        let keys: Vec<String> = (0..20).map(|n| format!("acme:a:{n}")).collect();
        let (_, text) = described(&format!("MGET {}", keys.join(" ")));
        assert!(text.ends_with("a:15 … 4 more"), "{text}");
    }

    #[test]
    fn a_pipeline_is_named_by_what_its_commands_share() {
        let mut pipeline = redis::pipe();
        pipeline.get("acme:inventory:1").get("acme:inventory:2");
        let same = describe_pipeline(&pipeline, Some("acme"), true);
        assert_eq!(same.operation, "PIPELINE GET");
        assert_eq!(same.summary, "PIPELINE GET inventory");
        assert_eq!(
            same.text.as_deref(),
            Some("GET inventory:1; GET inventory:2")
        );
        assert_eq!(same.batch, Some(2));

        let mut pipeline = redis::pipe();
        pipeline.atomic().set("acme:a:1", "secret").del("acme:b:1");
        let mixed = describe_pipeline(&pipeline, Some("acme"), true);
        assert_eq!(mixed.operation, "MULTI");
        assert_eq!(mixed.summary, "MULTI");

        let mut pipeline = redis::pipe();
        pipeline.atomic().set("acme:a:1", "secret");
        let single = describe_pipeline(&pipeline, Some("acme"), false);
        assert_eq!(single.summary, "MULTI SET a");
        assert_eq!((single.text, single.batch), (None, None));
    }

    proptest! {
        #[test]
        fn any_arguments_can_be_described(
            arguments in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..24),
            tenant in prop::option::of(".{0,8}"),
        ) {
            let mut command = Cmd::new();
            for argument in &arguments {
                command.arg(argument.as_slice());
            }
            let description = describe(&command, tenant.as_deref(), true);
            prop_assert!(!description.summary.is_empty());
            prop_assert!(!description.text.unwrap_or_default().contains('\n'));
        }
    }
}
