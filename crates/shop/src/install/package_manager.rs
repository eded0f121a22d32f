//! What the servers are called where, and what a person types to get them.

use nix::unistd::geteuid;

use crate::programs::on_path;

/// A server that is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    Postgres,
    Redis,
}

impl std::fmt::Display for Missing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Postgres => "PostgreSQL",
            Self::Redis => "Redis",
        })
    }
}

/// How this machine gets packages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PackageManager {
    Apt,
    Dnf,
    Pacman,
    Zypper,
    Apk,
    Brew,
}

impl PackageManager {
    pub fn find() -> Option<Self> {
        [
            ("apt-get", Self::Apt),
            ("dnf", Self::Dnf),
            ("pacman", Self::Pacman),
            ("zypper", Self::Zypper),
            ("apk", Self::Apk),
            ("brew", Self::Brew),
        ]
        .into_iter()
        .find_map(|(program, manager)| on_path(program).map(|_| manager))
    }

    pub(super) fn package(self, missing: Missing) -> &'static str {
        match (self, missing) {
            (Self::Apt, Missing::Postgres) => "postgresql",
            (Self::Apt, Missing::Redis) => "redis-server",
            (Self::Dnf | Self::Zypper, Missing::Postgres) => "postgresql-server",
            (Self::Pacman, Missing::Postgres) => "postgresql",
            (Self::Apk, Missing::Postgres) => "postgresql16",
            (Self::Brew, Missing::Postgres) => "postgresql@17",
            // Fedora and Arch replaced Redis by its fork.
            (Self::Dnf | Self::Pacman, Missing::Redis) => "valkey",
            (Self::Zypper | Self::Apk | Self::Brew, Missing::Redis) => "redis",
        }
    }

    /// What a person types to get these.
    pub fn command(self, missing: &[Missing]) -> String {
        let packages: Vec<_> = missing
            .iter()
            .map(|missing| self.package(*missing))
            .collect();
        let packages = packages.join(" ");
        let sudo = if geteuid().is_root() { "" } else { "sudo " };
        match self {
            Self::Apt => {
                format!("{sudo}apt-get update && {sudo}apt-get install --yes {packages}")
            }
            Self::Dnf => format!("{sudo}dnf install --assumeyes {packages}"),
            Self::Pacman => format!("{sudo}pacman -S --noconfirm {packages}"),
            Self::Zypper => format!("{sudo}zypper --non-interactive install {packages}"),
            Self::Apk => format!("{sudo}apk add {packages}"),
            Self::Brew => format!("brew install {packages}"),
        }
    }
}
