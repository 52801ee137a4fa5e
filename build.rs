//! Has the unwinder linked into programs, where GCC has it as an archive: each node that starts then has a library less to
//! load, which takes a tenth of its start. Where there is none, programs use the shared one as ever.
//!
//! And has the programs of this package linked to a fixed address: nodes then share all pages that hold addresses, where
//! each would else write its own when it starts, read them cold at each beat, and give them back when it ends.

use std::env;
use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let target = |name: &str| env::var(format!("CARGO_CFG_TARGET_{name}")).unwrap_or_default();
    let is_native = env::var_os("HOST") == env::var_os("TARGET");
    if is_native && target("OS") == "linux" && target("ENV") == "gnu" && has_archive() {
        // It stands before the shared one of the standard library, which nobody needs then.
        println!("cargo:rustc-link-lib=gcc_eh");
        println!("cargo:rustc-link-arg-bins=-no-pie");
        // Beside that, nothing else would say so.
        if target("FEATURE").split(',').any(|feature| feature == "crt-static") {
            println!("cargo:rustc-link-arg-bins=-static");
        }
    }
}

/// Whether the compiler that links knows where it is: then it says the whole path.
fn has_archive() -> bool {
    let asked = Command::new("cc").arg("-print-file-name=libgcc_eh.a").output();
    let path = asked.map(|said| String::from_utf8_lossy(&said.stdout).trim().to_owned()).unwrap_or_default();
    Path::new(&path).is_absolute() && Path::new(&path).exists()
}
