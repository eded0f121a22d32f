//! `cargo shop sqlx`: what the compiler knows of every query, written to `.sqlx/` from a
//! database that the migrations made. `--check` says whether it is still so.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{ExitCode, Stdio};
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use anyhow::{Context, bail};
use shop::database::{Database, SCHEMAS};
use shop::postgres::{self, Postgres};
use shop::progress::Progress;
use shop::run_folder::RunFolder;
use shop::stack::Interrupted;
use shop::{install, workspace};
use sqlx::Connection;
use sqlx::migrate::Migrator;
use tokio::process::Command;

use super::InstallArguments;
use super::interruption::Interruption;
use super::terminal::Terminal;

#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct QueriesArguments {
    #[command(flatten)]
    install: InstallArguments,

    /// Change nothing; fail if `.sqlx/` does not match the migrations and the queries.
    #[arg(long)]
    check: bool,
}

pub(crate) async fn run(arguments: QueriesArguments) -> anyhow::Result<ExitCode> {
    let interruption = Interruption::listen()?;
    let cancel = &interruption.token;
    let terminal = Terminal::default();
    let permission = install::Permission::new(arguments.install.no_install);
    install::ensure(permission, &terminal)?;
    let folder = Arc::new(RunFolder::create(None)?);
    let described = tokio::select! {
        described = describe_queries(&folder, &terminal) => described,
        () = cancel.cancelled() => Err(Interrupted.into()),
    };
    let closed = folder.close().await;
    let described = described?;
    closed?;

    let committed = workspace::root().join(".sqlx");
    let difference = Difference::between(&described, &read_queries(&committed)?);
    if difference.is_empty() {
        terminal.say(&format!(
            ".sqlx matches the migrations: {} queries",
            described.len()
        ));
        return Ok(ExitCode::SUCCESS);
    }
    terminal.say(&difference.to_string());
    if arguments.check {
        bail!(
            ".sqlx does not match the migrations and the queries: run `cargo shop sqlx` and commit .sqlx"
        );
    }
    write_queries(&committed, &described)?;
    terminal.say(&format!(
        "wrote {} queries to .sqlx: commit it",
        described.len()
    ));
    Ok(ExitCode::SUCCESS)
}

/// File name to text, for every query of the workspace.
type Queries = BTreeMap<String, String>;

async fn describe_queries(folder: &Arc<RunFolder>, terminal: &Terminal) -> anyhow::Result<Queries> {
    let began = Instant::now();
    terminal.begin("starting Postgres and running the migrations");
    let postgres = Postgres::start(&postgres::find()?, folder).await?;
    let database = Database::create(&postgres.url("postgres")).await?;
    for schema in SCHEMAS {
        migrate(&database, schema).await?;
    }
    terminal.done("the migrations are applied", began.elapsed());

    let output = folder.private_folder("queries")?;
    // The crate of a service has the name of its schema.
    for schema in SCHEMAS {
        let began = Instant::now();
        check_crate(schema, &database, &output).await?;
        terminal.done(
            &format!("the queries of {schema} are described"),
            began.elapsed(),
        );
    }
    let queries = read_queries(&output)?;
    postgres.stop().await;
    Ok(queries)
}

async fn migrate(database: &Database, schema: &str) -> anyhow::Result<()> {
    let folder = workspace::root().join("migrations").join(schema);
    let migrator = Migrator::new(folder.as_path())
        .await
        .with_context(|| format!("cannot read the migrations in {}", folder.display()))?;
    let mut connection = database.connect_as(schema).await?;
    migrator
        .run(&mut connection)
        .await
        .with_context(|| format!("the migrations in {} fail", folder.display()))?;
    let _ = connection.close().await;
    Ok(())
}

/// The macros describe their queries while the crate is checked; they run only if cargo
/// believes that the crate has changed.
async fn check_crate(name: &str, database: &Database, output: &Path) -> anyhow::Result<()> {
    let library = workspace::root()
        .join("crates")
        .join(name)
        .join("src/lib.rs");
    File::options()
        .append(true)
        .open(&library)
        .and_then(|file| file.set_modified(SystemTime::now()))
        .with_context(|| format!("cannot touch {}", library.display()))?;
    let status = Command::new(workspace::cargo())
        // The library alone: tests of one service may need another, whose tables are not here.
        .args(["check", "--package", name, "--lib"])
        .current_dir(workspace::root())
        .env("DATABASE_URL", database.url_of(name).as_str())
        .env("SQLX_OFFLINE", "false")
        .env("SQLX_OFFLINE_DIR", output)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .status()
        .await
        .context("cannot start cargo")?;
    if !status.success() {
        bail!("`cargo check --package {name}` failed ({status}); its messages are above");
    }
    Ok(())
}

fn read_queries(folder: &Path) -> anyhow::Result<Queries> {
    let mut queries = Queries::new();
    for path in query_files(folder)? {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let text = std::fs::read_to_string(&path)
            .with_context(|| format!("cannot read {}", path.display()))?;
        queries.insert(name.into_owned(), text);
    }
    Ok(queries)
}

fn query_files(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => {
            return Err(error).with_context(|| format!("cannot read {}", folder.display()));
        }
    };
    Ok(entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.starts_with("query-") && name.ends_with(".json")
        })
        .collect())
}

fn write_queries(folder: &Path, queries: &Queries) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    for path in query_files(folder)? {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if !queries.contains_key(name.as_ref()) {
            std::fs::remove_file(&path)
                .with_context(|| format!("cannot remove {}", path.display()))?;
        }
    }
    for (name, text) in queries {
        let path = folder.join(name);
        std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

/// What the committed files lack, have too much, or say differently.
#[derive(Debug, Default, PartialEq, Eq)]
struct Difference(Vec<String>);

impl Difference {
    fn between(described: &Queries, committed: &Queries) -> Self {
        let mut lines = Vec::new();
        for (name, text) in described {
            match committed.get(name) {
                None => lines.push(format!("new:     {}", statement(text))),
                Some(committed) if committed != text => {
                    lines.push(format!("changed: {}", statement(text)));
                }
                Some(_) => {}
            }
        }
        for (name, text) in committed {
            if !described.contains_key(name) {
                lines.push(format!("unused:  {}", statement(text)));
            }
        }
        Self(lines)
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}

/// The SQL of a file in one short line.
fn statement(text: &str) -> String {
    let query = serde_json::from_str::<serde_json::Value>(text)
        .ok()
        .and_then(|file| file.get("query")?.as_str().map(str::to_owned))
        .unwrap_or_else(|| "(not readable)".to_owned());
    let words: Vec<_> = query.split_whitespace().collect();
    words.join(" ").chars().take(100).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(query: &str, nullable: bool) -> String {
        serde_json::json!({ "query": query, "describe": { "nullable": [nullable] } }).to_string()
    }

    #[test]
    fn new_changed_and_unused_queries_are_told_apart() {
        let described = Queries::from([
            ("query-1.json".to_owned(), file("SELECT 1", false)),
            ("query-2.json".to_owned(), file("SELECT\n  2", true)),
            ("query-4.json".to_owned(), file("SELECT 4", true)),
        ]);
        let committed = Queries::from([
            ("query-2.json".to_owned(), file("SELECT\n  2", false)),
            ("query-3.json".to_owned(), file("SELECT 3", false)),
            ("query-4.json".to_owned(), file("SELECT 4", true)),
        ]);
        let difference = Difference::between(&described, &committed);
        assert_eq!(
            difference.to_string(),
            "new:     SELECT 1\nchanged: SELECT 2\nunused:  SELECT 3"
        );
        assert!(Difference::between(&described, &described).is_empty());
    }

    #[test]
    fn writing_removes_what_no_query_uses() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("query-old.json"), "{}").unwrap();
        std::fs::write(folder.path().join("README"), "kept").unwrap();
        let queries = Queries::from([("query-1.json".to_owned(), file("SELECT 1", false))]);
        write_queries(folder.path(), &queries).unwrap();
        assert_eq!(read_queries(folder.path()).unwrap(), queries);
        assert!(folder.path().join("README").exists());
    }
}
