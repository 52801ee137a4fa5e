//! Whether something costs more instructions than it did: counted by valgrind, so that nobody waits for a quiet machine.
//!
//! `cargo bench --profile dev --bench counts` compares with `benches/results/counts.csv`, says when something takes a
//! fifth more instructions, and fails then. `-- --renew` writes that file; whoever makes something dearer on purpose
//! does so, and says why. A word is a workload: `-- pingall`.
//!
//! Each workload runs in a process of its own, once small and once larger: the difference of both counts is what the
//! work takes, without what it takes to begin. The profile is that of the tests, which `cargo test` has built already;
//! counts of two profiles, or of two compilers, are not compared.

mod workloads;

use std::error::Error;
use std::fmt::Write as _;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};

use workloads::{WORKLOADS, Workload};

type Outcome<T> = Result<T, Box<dyn Error>>;

/// Behind it stand the name of a workload and how often it is done.
const ONE: &str = "--one";

const RENEW: &str = "--renew";

/// So many times as much is too much.
const TOO_MUCH: f64 = 1.2;

/// So little of it is worth to be kept.
const MUCH_LESS: f64 = 0.8;

fn main() -> Outcome<ExitCode> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [flag, name, times] = &arguments[..]
        && flag == ONE
    {
        let workload = WORKLOADS.iter().find(|workload| workload.name == name).ok_or("there is no such workload")?;
        (workload.work)(times.parse()?)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut out = io::stdout().lock();
    if Command::new("valgrind").arg("--version").stdout(Stdio::null()).status().is_err() {
        writeln!(out, "valgrind is not here: no instructions are counted, the check is skipped")?;
        return Ok(ExitCode::SUCCESS);
    }
    let counts = WORKLOADS.iter().filter(|workload| is_wanted(&arguments, workload.name));
    let counts = counts.map(|workload| Ok((workload.name, count(workload)?))).collect::<Outcome<Vec<_>>>()?;
    if arguments.iter().any(|argument| argument == RENEW) {
        std::fs::write(path(), written(&counts)?)?;
        writeln!(out, "written to {}", path().display())?;
        return Ok(ExitCode::SUCCESS);
    }
    let kept = Kept::read()?;
    compare(&counts, &kept, &mut out)
}

fn is_wanted(arguments: &[String], name: &str) -> bool {
    let mut wanted = arguments.iter().filter(|argument| !argument.starts_with('-')).peekable();
    wanted.peek().is_none() || wanted.any(|wanted| name.contains(wanted.as_str()))
}

/// The instructions that one time takes.
fn count(workload: &Workload) -> Outcome<f64> {
    let [few, many] = workload.times;
    let more = counted(workload.name, many)?.checked_sub(counted(workload.name, few)?);
    let more = more.ok_or("more work took fewer instructions")?;
    Ok(more as f64 / (many - few) as f64)
}

/// All instructions of a process that does so much.
fn counted(name: &str, times: usize) -> Outcome<u64> {
    let mut command = Command::new("valgrind");
    command.args(["--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"]);
    command.arg(std::env::current_exe()?).args([ONE, name, &times.to_string()]);
    let output = command.stdin(Stdio::null()).output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        return Err(format!("{name}, {times} times: {}\n{said}", output.status).into());
    }
    let number = said.lines().find_map(|line| line.split_once("refs:")).ok_or("valgrind says no number")?.1;
    Ok(number.trim().replace(',', "").parse()?)
}

fn compare(counts: &[(&str, f64)], kept: &Kept, out: &mut impl Write) -> Outcome<ExitCode> {
    let (compiler, profile) = (compiler()?, profile());
    let comparable = kept.compiler == compiler && kept.profile == profile;
    if !comparable {
        let theirs = format!("{}, profile {}", kept.compiler, kept.profile);
        writeln!(out, "the numbers that are kept are of {theirs}; this is {compiler}, profile {profile}")?;
    }
    writeln!(out, "{:<44}{:>14}{:>14}{:>8}", "instructions", "kept", "now", "times")?;
    let mut is_worse = false;
    for (name, count) in counts {
        let Some(before) = kept.count(name) else {
            writeln!(out, "{name:<44}{:>14}{count:>14.0}", "new")?;
            continue;
        };
        let times = count / before;
        let verdict = match times {
            times if times > TOO_MUCH => "  dearer",
            times if times < MUCH_LESS => "  cheaper: keep it with --renew",
            _ => "",
        };
        is_worse |= times > TOO_MUCH;
        writeln!(out, "{name:<44}{before:>14.0}{count:>14.0}{times:>8.2}{verdict}")?;
    }
    if is_worse && kept.profile != profile {
        writeln!(out, "two profiles are not compared: nothing follows from this")?;
        return Ok(ExitCode::SUCCESS);
    }
    if is_worse {
        writeln!(out, "something takes a fifth more instructions than before; if it must, keep that with --renew")?;
    }
    Ok(if is_worse { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// What is kept of an earlier run.
struct Kept {
    compiler: String,
    profile: String,
    counts: Vec<(String, f64)>,
}

impl Kept {
    fn read() -> Outcome<Self> {
        let text = std::fs::read_to_string(path())?;
        let of = |word: &str| text.lines().find_map(|line| line.strip_prefix(word)).unwrap_or_default().to_owned();
        let mut counts = Vec::new();
        for line in text.lines().filter(|line| !line.starts_with('#')).skip(1) {
            let (name, count) = line.rsplit_once(',').ok_or("a line is a name and a number")?;
            counts.push((name.trim_matches('"').to_owned(), count.parse()?));
        }
        Ok(Self { compiler: of("# compiler: "), profile: of("# profile: "), counts })
    }

    fn count(&self, name: &str) -> Option<f64> {
        self.counts.iter().find(|(other, _)| other == name).map(|(_, count)| *count)
    }
}

fn written(counts: &[(&str, f64)]) -> Outcome<String> {
    let mut text = format!("# compiler: {}\n# profile: {}\nworkload,instructions\n", compiler()?, profile());
    for (name, count) in counts {
        writeln!(text, "\"{name}\",{count:.0}")?;
    }
    Ok(text)
}

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("benches/results/counts.csv")
}

fn compiler() -> Outcome<String> {
    let compiler = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(compiler).arg("--version").output()?;
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

fn profile() -> &'static str {
    if cfg!(debug_assertions) { "dev" } else { "release" }
}
