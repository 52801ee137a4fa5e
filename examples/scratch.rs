use nodetree::*;
use std::io::BufRead;
fn main(){
  let a: Vec<String> = std::env::args().collect();
  let mode: Mode = a[1].parse().unwrap(); let topo: TopologyKind = a[2].parse().unwrap();
  match a.get(3).map(|s|s.as_str()) { Some("sum")=>run::<Sum>(mode,topo), Some("timer")=>run::<Timer>(mode,topo), _=>run::<Dictionary>(mode,topo)}
}
fn run<C:CommandSet>(mode:Mode,topo:TopologyKind){
  let t = NodeTree::<C>::builder().mode(mode).topology(topo).reply_timeout(std::time::Duration::from_secs(1)).start().unwrap();
  for l in std::io::stdin().lock().lines() { let l=l.unwrap(); if l.is_empty()||l.starts_with('#'){continue}
    println!("> {l}\n{}", t.line(&l).unwrap_or_else(|e|format!("!! {e}")));
    for n in t.notices().try_iter() { println!("{n}"); } }
}
