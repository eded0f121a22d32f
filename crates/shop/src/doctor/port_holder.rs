//! Who holds a port, where `/proc` tells: by the socket's number, found again among the
//! open files of processes.

use std::path::Path;

pub(super) struct Holder {
    pub(super) pid: u32,
    pub(super) name: String,
}

pub(super) fn of(port: u16) -> Option<Holder> {
    let inode = listening_inode(&std::fs::read_to_string("/proc/net/tcp").ok()?, port)
        .or_else(|| listening_inode(&std::fs::read_to_string("/proc/net/tcp6").ok()?, port))?;
    let target = format!("socket:[{inode}]");
    let processes = std::fs::read_dir("/proc").ok()?;
    processes.flatten().find_map(|process| {
        let pid: u32 = process.file_name().to_str()?.parse().ok()?;
        holds(&process.path(), &target).then(|| Holder {
            pid,
            name: std::fs::read_to_string(process.path().join("comm"))
                .unwrap_or_default()
                .trim()
                .to_owned(),
        })
    })
}

/// Files of other users' processes cannot be read: those do not count.
fn holds(process: &Path, target: &str) -> bool {
    let Ok(files) = std::fs::read_dir(process.join("fd")) else {
        return false;
    };
    files.flatten().any(|file| {
        std::fs::read_link(file.path()).is_ok_and(|link| link.to_string_lossy() == target)
    })
}

/// Columns: number, local address, remote address, state (`0A` listens), and the inode as
/// the tenth.
fn listening_inode(table: &str, port: u16) -> Option<u64> {
    let suffix = format!(":{port:04X}");
    table.lines().skip(1).find_map(|line| {
        let columns: Vec<_> = line.split_whitespace().collect();
        let listens = columns.get(3) == Some(&"0A");
        (listens && columns.get(1)?.ends_with(&suffix)).then(|| columns.get(9)?.parse().ok())?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_socket_is_found_in_the_table() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
            0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4242 1 0 100 0 0 10 0\n\
            1: 0100007F:1F91 0100007F:1F90 01 00000000:00000000 00:00000000 00000000     0        0 4243 1 0 100 0 0 10 0\n";
        assert_eq!(listening_inode(table, 8080), Some(4242));
        assert_eq!(listening_inode(table, 8081), None);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn this_process_is_named_as_the_holder_of_its_port() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let holder = of(listener.local_addr().unwrap().port()).unwrap();
        assert_eq!(holder.pid, std::process::id());
        assert!(!holder.name.is_empty());
    }
}
