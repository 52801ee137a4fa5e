//! The `nodetree` program: reads commands from standard input and prints replies.

mod cli;

fn main() -> std::process::ExitCode {
    #[cfg(feature = "testing")]
    let _planted = planted();
    cli::start_in_node();
    nodetree::modes::process::serve_if_built_in_node();
    cli::main(std::env::args_os())
}

/// A program that is built with the feature `testing`, for tests, has the bug that is named here: so it can be seen what it
/// says of one. What is shipped has neither the bugs nor this.
#[cfg(feature = "testing")]
fn planted() -> Option<nodetree::planted::Planted> {
    use nodetree::planted::{Bug, plant};
    let name = std::env::var("NODETREE_PLANTED").ok()?;
    Bug::ALL.into_iter().find(|bug| format!("{bug:?}") == name).map(plant)
}
