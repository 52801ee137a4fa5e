//! A pid namespace for each test of processes: a process that a test leaves behind is seen, and ended.
//!
//! The test program runs itself again as process 1 of a new pid namespace, for this one test. Processes whose parent
//! has ended become its children there, so that it finds all of them in `/proc`; when it ends, the kernel ends
//! whatever is left. Where the machine does not allow it, the test runs without, and says so.

use std::fs;
use std::io::{self, Read, Write};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{WaitId, WaitIdOptions, getuid, waitid};

/// Set in a test program that was started for one test: whether it is process 1.
const INSIDE: &str = "NODETREE_TEST_SANDBOX";

/// How a line begins that says what does not run.
const SKIPPED: &str = "SKIPPED: ";

/// How long processes may take to end on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs a block as a test in a sandbox of its own; before it may stand what is to be in the environment.
macro_rules! sandboxed {
    ($($name:literal = $value:expr,)* $body:block) => {{
        fn here() {}
        let environment: &[(&str, &str)] = &[$(($name, $value)),*];
        $crate::sandbox::run(std::any::type_name_of_val(&here), environment, || $body)
    }};
}
pub(crate) use sandboxed;

/// Whether this is process 1 of a sandbox.
pub fn is_inside() -> bool {
    std::env::var_os(INSIDE).is_some_and(|inside| inside == "1")
}

/// Says why a test, or a part of one, does not run here; seen also where the output of tests that pass is not shown.
#[allow(dead_code, reason = "not all tests need what a machine may lack")]
pub fn skip(what: &str, why: &str) {
    eprintln!("{SKIPPED}{what}: {why}");
}

/// Not by a macro: the test harness would keep it.
fn show(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// Runs `body` in a sandbox; `name` is the path of a function in the test.
pub fn run(name: &str, environment: &[(&str, &str)], body: impl FnOnce()) {
    if std::env::var_os(INSIDE).is_some() {
        thread::spawn(end_with_the_one_outside);
        body();
        if is_inside() {
            nobody_is_left();
        }
        return;
    }
    let path: Vec<&str> = name.split("::").collect();
    let test = path[1..path.len() - 1].join("::");
    let mut command = in_a_namespace();
    command.args(["--exact", &test, "--test-threads=1", "--nocapture"]).envs(environment.iter().copied());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut inside = command.spawn().expect("a test can run itself");
    // Closed when this process ends, however it does: signals do not reach process 1 of a namespace.
    let _alive = inside.stdin.take();
    let ended = inside.wait_with_output().expect("a test can run itself");
    let (stdout, stderr) = (String::from_utf8_lossy(&ended.stdout), String::from_utf8_lossy(&ended.stderr));
    assert!(ended.status.success(), "in its sandbox ({}):\n{stdout}\n{stderr}", ended.status);
    assert!(stdout.contains("1 passed"), "{test} is not the name of a test:\n{stdout}");
    print!("{stdout}");
    eprint!("{stderr}");
    stderr.lines().filter(|line| line.starts_with(SKIPPED)).for_each(|line| show(&format!("{test}: {line}")));
}

/// Waits until nobody is left who waits for this test, and ends it, and with it all that it has started.
fn end_with_the_one_outside() {
    let _ = io::stdin().read(&mut [0]);
    std::process::exit(1);
}

/// This program, to be started in a pid namespace where one can be made.
fn in_a_namespace() -> Command {
    let program = std::env::current_exe().expect("a test has a program");
    match unshare() {
        Some(unshare) => {
            let mut command = Command::new("unshare");
            command.args(unshare).arg(program).env(INSIDE, "1");
            command
        }
        None => {
            show("no pid namespace can be made here: a process that a test leaves behind is not seen");
            let mut command = Command::new(program);
            command.env(INSIDE, "0");
            command
        }
    }
}

/// The arguments with which `unshare` makes a pid namespace here; none when it cannot.
fn unshare() -> Option<&'static [&'static str]> {
    const AS_ROOT: &[&str] = &["--pid", "--fork", "--kill-child", "--mount-proc"];
    const AS_USER: &[&str] = &["--user", "--map-root-user", "--pid", "--fork", "--kill-child", "--mount-proc"];
    static FOUND: OnceLock<Option<&[&str]>> = OnceLock::new();
    *FOUND.get_or_init(|| {
        let arguments = if getuid().is_root() { AS_ROOT } else { AS_USER };
        let tried = Command::new("unshare").args(arguments).arg("true").output();
        tried.is_ok_and(|ended| ended.status.success()).then_some(arguments)
    })
}

/// The processes that are there besides this one, each with its command line.
pub fn others() -> Vec<String> {
    let processes = fs::read_dir("/proc").expect("/proc can be read").flatten();
    let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let others = pids.filter(|&pid| pid != std::process::id());
    others.filter_map(|pid| Some(format!("{pid}: {}", command_line(pid)?))).collect()
}

/// The words of a process; in brackets its name when it is a zombie.
fn command_line(pid: u32) -> Option<String> {
    let words = fs::read_to_string(format!("/proc/{pid}/cmdline")).ok()?.replace('\0', " ");
    if words.is_empty() {
        return fs::read_to_string(format!("/proc/{pid}/stat")).ok();
    }
    Some(words)
}

/// Waits until no process is left, and reaps those that have become ours. For the end of a test in a sandbox.
fn nobody_is_left() {
    let end = Instant::now() + PATIENCE;
    loop {
        while let Ok(Some(_)) = waitid(WaitId::All, WaitIdOptions::EXITED | WaitIdOptions::NOHANG) {}
        let left = others();
        if left.is_empty() {
            return;
        }
        assert!(Instant::now() < end, "the test has left processes behind: {left:#?}");
        thread::sleep(Duration::from_millis(5));
    }
}
