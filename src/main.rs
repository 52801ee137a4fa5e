//! The `nodetree` program: reads commands from standard input and prints replies.

mod cli;

fn main() -> std::process::ExitCode {
    cli::start_in_node();
    nodetree::modes::process::serve_if_built_in_node();
    cli::main(std::env::args_os())
}
