//! The `nodetree` program: reads commands from standard input and prints replies.

mod cli;

fn main() -> std::process::ExitCode {
    cli::main(std::env::args_os())
}
