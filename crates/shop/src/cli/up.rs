//! `cargo shop up`: the stack, kept running.
#![expect(clippy::print_stdout, reason = "addresses and keys are the output")]

use std::convert::Infallible;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::bail;
use shop::control::{self, Control};
use shop::ports::Ports;
use shop::stack::PartEnded;
use shop::state::{self, RunningStack};
use shop::{PartFailed, Stack, StackOptions};

use super::interruption::Interruption;
use super::terminal::Terminal;
use super::{StackArguments, build};

pub(crate) async fn run(arguments: StackArguments) -> anyhow::Result<ExitCode> {
    if let Some(running) = state::find() {
        bail!(
            "a stack runs already, as process {}: its shop is at {}; use it, or stop it with \
             `kill {}`",
            running.pid(),
            running.orders_url,
            running.pid()
        );
    }
    let interruption = Interruption::listen()?;
    let cancel = &interruption.token;
    let terminal = Arc::new(Terminal::default());
    build::all(&terminal, cancel).await?;
    arguments.ensure_servers(&terminal)?;
    let collector = arguments.collector.clone();
    let stack = Stack::start(StackOptions {
        ports: Ports::Conventional,
        cancel: cancel.clone(),
        ..arguments.options(&terminal)
    })
    .await?;
    let control = Control::open(&stack)
        .inspect_err(|error| {
            terminal.say(&format!(
                "`cargo shop stop` and `start` do not reach this stack: {error:#}"
            ));
        })
        .ok();
    let mut description = stack.describe();
    description.control = control.as_ref().map(|control| control.path().to_path_buf());
    let ended = match state::publish(&description) {
        Ok(_published) => {
            print!("{}", welcome(&description, collector.as_deref()));
            tokio::select! {
                () = cancel.cancelled() => Ok(()),
                failure = watch(&stack, &terminal) => Err(failure),
                never = serve(control.as_ref(), &stack, &terminal) => match never {},
            }
        }
        Err(error) => {
            stack.stop().await?;
            return Err(error);
        }
    };
    terminal.say("stopping …");
    let stopped = stack.stop().await;
    ended.map_err(|failure: PartFailed| {
        anyhow::Error::new(failure).context("everything was stopped, because a part failed")
    })?;
    stopped?;
    terminal.say("everything is stopped");
    Ok(ExitCode::SUCCESS)
}

/// Until a part fails. A service that somebody stopped did not: the rest goes on.
async fn watch(stack: &Stack, terminal: &Terminal) -> PartFailed {
    loop {
        match stack.ended().await {
            PartEnded::Stopped(service) => terminal.say(&control::was_stopped(service)),
            PartEnded::Failed(failure) => return failure,
        }
    }
}

async fn serve(control: Option<&Control>, stack: &Stack, terminal: &Terminal) -> Infallible {
    match control {
        Some(control) => control.serve(stack, |line| terminal.say(line)).await,
        None => std::future::pending().await,
    }
}

fn welcome(stack: &RunningStack, collector: Option<&str>) -> String {
    let mut text = String::from("\nThe shop is open.\n\n");
    let spans = match collector {
        Some(collector) => format!("spans go to {collector}"),
        None => format!("spans come in at {}", stack.otlp_url),
    };
    for (name, url, what) in [
        (
            "orders",
            &stack.orders_url,
            "POST /checkout, GET /orders/{id}, /openapi.json",
        ),
        ("inventory", &stack.inventory_url, "behind orders"),
        (
            "card processor",
            &stack.processor_url,
            "a sandbox: no card is charged",
        ),
        ("traces", &stack.tempo_url, spans.as_str()),
        ("Postgres", &stack.database_url, ""),
        ("Redis", &stack.redis_url, ""),
    ] {
        let line = format!("  {name:<15} {url}   {what}");
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text.push_str("\n  tenant          API key\n");
    for tenant in &stack.tenants {
        let remark = if tenant.large {
            "   large: more than 50,000 stock movements"
        } else {
            ""
        };
        let line = format!("  {:<15} {:<17}{remark}", tenant.tenant_id, tenant.api_key);
        text.push_str(line.trim_end());
        text.push('\n');
    }
    let key = stack.api_key("acme").unwrap_or_default();
    text.push_str(&format!(
        "\nTry, in another terminal:\n\n\
         \x20 curl -i {orders}/checkout \\\n\
         \x20   -H 'Authorization: Bearer {key}' -H \"Idempotency-Key: $(date +%s)\" \\\n\
         \x20   -H 'Content-Type: application/json' \\\n\
         \x20   -d '{{\"lines\":[{{\"sku\":\"item_42\",\"quantity\":2}}],\"card_token\":\"tok_visa\"}}'\n\n\
         \x20 cargo run -p loadgen -- checkout --tenant umbrella\n\
         \x20 cargo run -p loadgen -- trace TRACE_ID\n\n",
        orders = stack.orders_url,
    ));
    if stack.control.is_some() {
        text.push_str(
            "  cargo shop stop inventory        what a checkout answers without it\n\
             \x20 cargo shop start inventory       brings it back\n\n",
        );
    }
    text.push_str("Ctrl-C stops everything.\n");
    text
}
