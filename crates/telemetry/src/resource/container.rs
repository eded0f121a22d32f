//! The id of the container this process runs in, from what the kernel shows.

use std::fs;

/// A container id is 64 hex digits.
const ID_LENGTH: usize = 64;

/// The container's id; `None` outside of one, or where the kernel hides it.
pub(super) fn id() -> Option<String> {
    // cgroup v1 names the container in the path of the cgroup; v2 shows only `0::/`, but
    // the files that the runtime mounts into the container lie in a folder of that name.
    read("/proc/self/cgroup")
        .and_then(|text| from_cgroup(&text))
        .or_else(|| read("/proc/self/mountinfo").and_then(|text| from_mountinfo(&text)))
}

fn read(path: &str) -> Option<String> {
    fs::read_to_string(path).ok()
}

/// `12:memory:/docker/<id>`, `0::/system.slice/docker-<id>.scope`,
/// `1:name=systemd:/ecs/<task>/<id>`.
fn from_cgroup(text: &str) -> Option<String> {
    text.lines()
        .filter_map(|line| line.rsplit('/').next())
        .find_map(id_in)
}

/// `… /var/lib/docker/containers/<id>/hostname /etc/hostname …`. Only the mounts that a
/// runtime makes for the container itself are believed: on a host, mountinfo names the
/// layers of containers that are others.
fn from_mountinfo(text: &str) -> Option<String> {
    text.lines()
        .filter(|line| {
            ["/etc/hostname", "/etc/hosts", "/etc/resolv.conf"]
                .iter()
                .any(|mounted| line.split(' ').any(|field| field == *mounted))
        })
        .flat_map(|line| line.split(['/', ' ']))
        .find_map(id_in)
}

/// The id in a path segment such as `docker-<id>.scope` or `<id>`.
fn id_in(segment: &str) -> Option<String> {
    let name = segment.strip_suffix(".scope").unwrap_or(segment);
    let id = name.rsplit('-').next()?;
    let valid = id.len() == ID_LENGTH && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    valid.then(|| id.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "7be92808767a667f35c8505cbf40d14e931ef6db5b0210329cf193b15ba9d605";

    #[test]
    fn cgroup_v1_of_docker_and_ecs() {
        let docker = format!("13:pids:/\n12:memory:/docker/{ID}\n");
        assert_eq!(from_cgroup(&docker).as_deref(), Some(ID));
        let ecs = format!("1:name=systemd:/ecs/f07ed68a68b7454ca03e8bcd9aec7cb4/{ID}\n");
        assert_eq!(from_cgroup(&ecs).as_deref(), Some(ID));
    }

    #[test]
    fn cgroup_v2_of_systemd_and_containerd() {
        let docker = format!("0::/system.slice/docker-{ID}.scope\n");
        assert_eq!(from_cgroup(&docker).as_deref(), Some(ID));
        let kubernetes =
            format!("0::/kubepods.slice/kubepods-pod1a2b.slice/cri-containerd-{ID}.scope\n");
        assert_eq!(from_cgroup(&kubernetes).as_deref(), Some(ID));
    }

    #[test]
    fn mountinfo_where_the_cgroup_is_hidden() {
        let text = format!(
            "678 655 254:1 /var/lib/docker/containers/{ID}/hostname /etc/hostname rw - ext4 /dev/vda1 rw\n"
        );
        assert_eq!(from_mountinfo(&text).as_deref(), Some(ID));
    }

    #[test]
    fn a_host_that_runs_containers_is_none_itself() {
        assert_eq!(
            from_cgroup("0::/user.slice/user-0.slice/session-1.scope\n"),
            None
        );
        let host = format!("90 25 0:41 / /run/containerd/{ID}/rootfs rw - overlay overlay rw\n");
        assert_eq!(from_mountinfo(&host), None);
    }
}
