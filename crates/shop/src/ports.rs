//! Loopback ports: the conventional ones when nobody holds them, free ones otherwise.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};

/// Which ports a stack takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Ports {
    /// Any free one: as many stacks as wanted run side by side.
    #[default]
    Free,
    /// The documented one, and a free one where somebody holds it already.
    Conventional,
}

impl Ports {
    /// The port to ask for; 0 lets the system choose when the part binds.
    pub fn choose(self, conventional: u16) -> u16 {
        match self {
            Self::Conventional if is_free(conventional) => conventional,
            Self::Conventional | Self::Free => 0,
        }
    }
}

pub fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

/// A port that is free in this moment, for servers that cannot choose one themselves.
/// Somebody may take it before the server does: callers try again.
pub fn free_port() -> std::io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?
        .local_addr()?
        .port())
}

pub(crate) fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_conventional_port_that_is_held_gives_way_to_a_free_one() {
        let held = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = held.local_addr().unwrap().port();
        assert_eq!(Ports::Conventional.choose(port), 0);
        assert_eq!(Ports::Free.choose(port), 0);
        assert!(!is_free(port));
    }
}
