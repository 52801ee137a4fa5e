//! `nodetree completions` and `nodetree man`: made from the command line as it is declared.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Command;
use clap_complete::Shell;

use super::complain;
use super::output::Output;

/// The name of the program.
const NAME: &str = "nodetree";

/// Writes completions for a shell to standard output.
pub fn completions(mut program: Command, shell: Shell) -> ExitCode {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut program, NAME, &mut text);
    print(&text)
}

/// Writes the manual page to standard output: the program's, and behind it what its commands take.
pub fn man(program: Command) -> ExitCode {
    match page(program) {
        Ok(text) => print(&text),
        Err(error) => failed(&error),
    }
}

fn page(mut program: Command) -> io::Result<Vec<u8>> {
    program.build();
    let commands: Vec<Command> = program.get_subcommands().filter(|it| it.get_name() != "help").cloned().collect();
    let man = clap_mangen::Man::new(program);
    let mut text = Vec::new();
    man.render_title(&mut text)?;
    man.render_name_section(&mut text)?;
    man.render_synopsis_section(&mut text)?;
    man.render_description_section(&mut text)?;
    man.render_options_section(&mut text)?;
    for command in commands {
        writeln!(text, ".SH \"NODETREE {}\"", command.get_name().to_uppercase())?;
        writeln!(text, "{}", command.get_about().map(ToString::to_string).unwrap_or_default())?;
        let mut options = Vec::new();
        clap_mangen::Man::new(command).render_options_section(&mut options)?;
        // What is a section of its own page is a part of a section here.
        text.extend(String::from_utf8_lossy(&options).replace(".SH OPTIONS", ".SS Options").into_bytes());
    }
    man.render_extra_section(&mut text)?;
    Ok(text)
}

/// Writes text to standard output and gives the exit code.
pub fn print(text: &[u8]) -> ExitCode {
    match Output::stdout().and_then(|mut output| output.write_all(text)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&error),
    }
}

fn failed(error: &io::Error) -> ExitCode {
    if error.kind() != io::ErrorKind::BrokenPipe {
        complain(&format!("standard output: {error}"));
    }
    ExitCode::FAILURE
}
