//! What was measured, kept in `benches/results` with what it was measured on.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::curves::{self, Figure};
use crate::table::{Cores, Outcome, Row};

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/results").join(name)
}

pub fn save_table(rows: &[(Cores, Row)]) -> Outcome<()> {
    let mut text = machine()? + "cores,what,unit,ours,baseline,its figure,ratio,goal\n";
    for (cores, row) in rows {
        let (name, figure) = row.baseline.map_or(("", String::new()), |(name, figure)| (name, figure.to_string()));
        let ratio = row.ratio().map_or(String::new(), |ratio| format!("{ratio:.3}"));
        let verdict = row.verdict().replace('*', "");
        let unit = row.unit.name();
        writeln!(text, "{cores},\"{}\",{unit},{},\"{name}\",{figure},{ratio},\"{verdict}\"", row.what, row.ours)?;
    }
    Ok(fs::write(path("all.csv"), text)?)
}

/// Draws them all the same where they are not to be kept, so that it is seen to work.
pub fn save_curves(figures: &[Figure], are_kept: bool) -> Outcome<()> {
    let (csv, svg) = (machine()? + &curves::csv(figures)?, curves::draw(figures)?);
    if are_kept {
        fs::write(path("curves.csv"), csv)?;
        fs::write(path("curves.svg"), svg)?;
    }
    Ok(())
}

/// What it was measured on, as lines that begin with `#`.
fn machine() -> Outcome<String> {
    let cpu = fs::read_to_string("/proc/cpuinfo")?;
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or(" : unknown");
    let memory = fs::read_to_string("/proc/meminfo")?;
    let cores = std::thread::available_parallelism()?;
    let compiler = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let compiler = String::from_utf8(Command::new(compiler).arg("--version").output()?.stdout)?;
    let load = fs::read_to_string("/proc/loadavg")?;
    let mut text = String::new();
    writeln!(text, "# processor: {}, {cores} cores", model.trim_start_matches([' ', '\t', ':']))?;
    writeln!(text, "# {}", memory.lines().next().unwrap_or_default())?;
    writeln!(text, "# Linux {}", fs::read_to_string("/proc/sys/kernel/osrelease")?.trim())?;
    writeln!(text, "# {}", compiler.trim())?;
    writeln!(text, "# load when it was written: {}", load.trim())?;
    Ok(text)
}
