//! A command set of one's own, in all three modes: each node keeps numbers and swaps them if they are what the asker
//! thinks.

use nodetree::command_sets::{Progress, Request, RequestError, Turn};
use nodetree::modes::process::serve_if_node;
use nodetree::{CommandSet, Mode, NodeTree};
use std::{collections::BTreeMap, fmt};

/// The numbers of one node by name, 0 where there is none.
#[derive(Default)]
struct Swaps {
    numbers: BTreeMap<char, i64>,
    asked: Option<(char, i64, i64)>,
}

impl CommandSet for Swaps {
    type Head = (char, i64, i64);
    type Part = ();
    type Output = i64;
    const NAME: &'static str = "swaps";
    const USAGE: &'static str = "exec id name old new";

    fn parse(text: &str) -> Result<Request<Self>, RequestError> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let [name, old, new] = words[..] else { return Err(RequestError::new("expected name old new")) };
        let number = |word: &str| word.parse().map_err(RequestError::new);
        Ok(Request { head: (name.parse().map_err(RequestError::new)?, number(old)?, number(new)?), parts: Vec::new() })
    }
    fn print(Request { head: (name, old, new), .. }: &Request<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{name} {old} {new}")
    }
    fn begin(&mut self, head: Self::Head, _: &mut Turn<i64>) -> Result<(), RequestError> {
        self.asked = Some(head);
        Ok(())
    }
    fn finish(&mut self, turn: &mut Turn<i64>) -> Result<Progress, RequestError> {
        let (name, old, new) = self.asked.take().ok_or_else(|| RequestError::new("nothing was asked"))?;
        let number = self.numbers.entry(name).or_insert(0);
        turn.outputs.push(*number);
        *number = if *number == old { new } else { *number };
        Ok(Progress::Done)
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // In process mode the nodes run this program, too: there this call does not return.
    serve_if_node::<Swaps>();
    for mode in [Mode::Simulated, Mode::Threads, Mode::Process] {
        let swaps = compare_with_a_model(mode)?;
        println!("{mode}: {swaps} answers, all as those of a model");
    }
    Ok(())
}

fn compare_with_a_model(mode: Mode) -> Result<usize, Box<dyn std::error::Error>> {
    let tree = NodeTree::<Swaps>::builder().mode(mode).seed(1).start()?;
    tree.submit_lines(["create 0", "create 1 0", "create 2 1"])?;
    let mut model = BTreeMap::new();
    for step in 0..600_i64 {
        if step % 100 == 50 {
            assert_eq!(tree.line("kill 2")?, "Ok");
            assert!(tree.line("create 2 1")?.starts_with("Ok: "), "it comes back, empty");
            model.retain(|&(id, _), _| id != 2);
        }
        let (id, name, old, new) = (step % 3, if step % 2 == 0 { 'a' } else { 'b' }, step / 7 % 4, step / 5 % 4);
        let number: &mut i64 = model.entry((id, name)).or_default();
        assert_eq!(tree.line(&format!("exec {id} {name} {old} {new}"))?, format!("Ok:{id}: {number}"));
        *number = if *number == old { new } else { *number };
    }
    Ok(600)
}
