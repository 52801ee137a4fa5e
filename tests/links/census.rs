//! The descriptors of every process are the expected ones, and each end of a link is in one process alone.

use std::collections::BTreeMap;
use std::fs;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};

use nodetree::TopologyKind;
use rustix::process::{Pid, getpid};

use crate::harness::{PATIENCE, check, create, system};
use crate::sandbox::sandboxed;

/// What stands behind the descriptors of a process, by number.
fn behind(pid: Pid) -> BTreeMap<u32, String> {
    let folder = format!("/proc/{}/fd", pid.as_raw_pid());
    let entries = fs::read_dir(folder).expect("it runs").map(|entry| entry.expect("an entry").path());
    let number = |path: &std::path::Path| path.file_name()?.to_str()?.parse().ok();
    // What was closed meanwhile was the one with which the folder is read.
    let all = entries.filter_map(|path| Some((number(&path)?, fs::read_link(&path).ok()?)));
    all.map(|(number, path)| (number, path.to_string_lossy().into_owned())).collect()
}

/// Sockets that are in more than one of these processes, or twice in one.
fn shared_sockets(pids: &[Pid]) -> Vec<String> {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for socket in pids.iter().flat_map(|&pid| behind(pid).into_values()).filter(|it| it.starts_with("socket:")) {
        *seen.entry(socket).or_default() += 1;
    }
    seen.into_iter().filter(|(_, times)| *times > 1).map(|(socket, _)| socket).collect()
}

/// Covers F38; and F39, F41: there is nothing to connect to, and no path that could be in the way.
#[test]
fn every_descriptor_of_every_process_is_an_expected_one() {
    sandboxed!({
        let tree = system(TopologyKind::Tree, PATIENCE);
        let lines = ["create 1", "create 2 1", "create 3 1", "create 4 2", "create 5", "create 6 1", "create 7 2"];
        let mut pids: Vec<Pid> = lines.iter().map(|line| create(&tree, line)).collect();
        check(&tree, &[("pingall", "Ok: -1")]);
        let children = [3, 2, 0, 0, 0, 0, 0];
        let handed_down = handed_down();
        for ((&pid, children), line) in pids.iter().zip(children).zip(lines) {
            let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
            for (number, what) in behind(pid) {
                if number > 2 {
                    *kinds.entry(kind(&what).to_owned()).or_default() += 1;
                } else if number < 2 {
                    assert_eq!(what, "/dev/null", "{line}: {number}");
                }
            }
            // The control link, the link to the parent, one to each child.
            let sockets = kinds.remove("socket");
            let (runtime, rest): (BTreeMap<_, _>, BTreeMap<_, _>) =
                kinds.into_iter().partition(|(kind, _)| kind.starts_with("anon_inode:"));
            eprintln!("{line}: {sockets:?} sockets, {runtime:?}, {rest:?}");
            assert_eq!(rest, handed_down, "{line}");
            assert_eq!(sockets, Some(2 + children), "{line}");
            assert!(runtime.values().sum::<usize>() <= 4, "{line}: {runtime:?}");
        }
        pids.push(getpid());
        assert_eq!(shared_sockets(&pids), [""; 0]);
        nobody_listens(&pids);
        drop(tree);
    });
}

/// What whoever started the tests has left open for everybody, by kind: it is not ours to close.
fn handed_down() -> BTreeMap<String, usize> {
    let mut kinds = BTreeMap::new();
    for (number, what) in behind(getpid()).into_iter().filter(|(number, _)| *number > 2) {
        let info = fs::read_to_string(format!("/proc/self/fdinfo/{number}")).unwrap_or_default();
        let flags = info.lines().find_map(|line| line.strip_prefix("flags:"));
        let flags = flags.and_then(|flags| u32::from_str_radix(flags.trim(), 8).ok()).unwrap_or(u32::MAX);
        if flags & 0o2000000 == 0 {
            *kinds.entry(kind(&what).to_owned()).or_default() += 1;
        }
    }
    kinds
}

/// The kind of what stands behind a descriptor.
fn kind(what: &str) -> &str {
    if what.starts_with("anon_inode:") { what } else { what.split([':', '[']).next().unwrap_or_default() }
}

/// None of the sockets of these processes has a path or waits for anybody to connect.
fn nobody_listens(pids: &[Pid]) {
    let ours: Vec<String> = pids.iter().flat_map(|&pid| behind(pid).into_values()).collect();
    let is_ours = |inode: &str| ours.contains(&format!("socket:[{inode}]"));
    let unix = fs::read_to_string("/proc/self/net/unix").expect("/proc can be read");
    let mut seen = 0;
    for line in unix.lines().skip(1) {
        let fields: Vec<&str> = line.split_whitespace().collect();
        if is_ours(fields[6]) {
            seen += 1;
            assert_eq!((fields[3], fields.get(7)), ("00000000", None), "it is connected, and has no path: {line}");
        }
    }
    assert!(seen >= pids.len(), "the links are there");
    for table in ["tcp", "tcp6", "udp", "udp6"] {
        let table = fs::read_to_string(format!("/proc/self/net/{table}")).unwrap_or_default();
        let inodes = table.lines().skip(1).filter_map(|line| line.split_whitespace().nth(9));
        assert_eq!(inodes.filter(|inode| is_ours(inode)).count(), 0);
    }
}

/// Covers F38: the census sees a copy that was inherited.
#[test]
fn an_inherited_copy_would_be_seen() {
    sandboxed!({
        let (here, there) = UnixStream::pair().unwrap();
        let ends = [&here, &there].map(|end| end.as_fd().try_clone_to_owned().unwrap());
        let [first, second] = ends.map(|end| {
            // It is given to two of them, as it would be without close-on-exec.
            let copy = end.try_clone().unwrap();
            let sleeper = |end| Command::new("sleep").arg("1000").stdin(Stdio::from(end)).spawn().unwrap();
            [sleeper(end), sleeper(copy)]
        });
        let pids: Vec<Pid> = first.iter().chain(&second).map(|it| Pid::from_child(it)).collect();
        crate::harness::until("they hold them", || shared_sockets(&pids).len() == 2);
        for mut child in first.into_iter().chain(second) {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    });
}
