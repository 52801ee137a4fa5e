//! The `nodetree` program: reads commands from standard input and prints replies.

mod cli;

fn main() -> std::process::ExitCode {
    // Before this process becomes a node, if it is to be one: nodes log, too.
    let parsed = cli::begin(std::env::args_os());
    nodetree::modes::process::serve_if_built_in_node();
    cli::main(parsed)
}
