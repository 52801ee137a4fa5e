//! A tree of three nodes, a number that one of them keeps, and a kill.

use nodetree::{Command, Dictionary, Mode, NodeTree};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Mode::Threads does the same in real time, as actors on a thread.
    let tree = NodeTree::<Dictionary>::builder().mode(Mode::Simulated).seed(7).start()?;
    // Lines as a person types them: 20 stands below 10, and 30 beside it.
    for line in ["create 10", "create 20 10", "create 30"] {
        println!("{line}: {}", tree.line(line)?);
    }
    // Commands as values. `submit` does not wait; replies of one node come in the order of its commands.
    let save = tree.submit(Command::Exec { id: 20, request: Ok(Dictionary::save("x", 5)) })?;
    let load = tree.submit(Command::Exec { id: 20, request: Ok(Dictionary::load("x")) })?;
    assert_eq!(tree.wait(load)?.to_string(), "Ok:20: 5");
    assert_eq!(tree.wait(save)?.to_string(), "Ok:20");
    // As by `kill -9`: 10 is down, and so is 20 below it. 30 does not notice.
    tree.line("kill 10")?;
    assert_eq!(tree.line("exec 20 x")?, "Error:20: Node is unavailable");
    assert_eq!(tree.line("exec 30 y 6")?, "Ok:30");
    assert_eq!(tree.line("pingall")?, "Ok: 10;20");
    Ok(())
}
