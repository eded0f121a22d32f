//! The program: its three lines, and its end on SIGTERM.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};

struct Program(Child);

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn the_program_says_where_it_listens_and_ends_on_sigterm() {
    let child = Command::new(env!("CARGO_BIN_EXE_tracebox"))
        .args(["--otlp-grpc", "127.0.0.1:0", "--otlp-http", "127.0.0.1:0"])
        .env("TRACEBOX_HTTP", "127.0.0.1:0")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut program = Program(child);
    let mut output = BufReader::new(program.0.stdout.take().unwrap());
    let mut addresses = Vec::new();
    for prefix in [
        "otlp grpc listening on 127.0.0.1:",
        "otlp http listening on 127.0.0.1:",
        "query api listening on http://127.0.0.1:",
    ] {
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        let port = line.trim_end().strip_prefix(prefix).unwrap();
        addresses.push(port.parse::<u16>().unwrap());
    }
    let url = format!("http://127.0.0.1:{}/ready", addresses[2]);
    let ready = crate::support::client().get(url).send().await.unwrap();
    assert_eq!(ready.status(), 200);

    let kill = Command::new("kill")
        .arg(program.0.id().to_string())
        .status()
        .unwrap();
    assert!(kill.success());
    let mut rest = String::new();
    output.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "", "only three lines go to standard output");
    assert!(program.0.wait().unwrap().success());
}
