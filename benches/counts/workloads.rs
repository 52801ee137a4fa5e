//! What is counted: work that is the same each time, as it has neither threads that race nor a clock.

use std::error::Error;
use std::path::Path;

use bytes::Bytes;
use nodetree::actors::message::{Envelope, NodeKey, RequestKind, RequestPiece};
use nodetree::actors::session::Packet;
use nodetree::modes::wire::{append, decode};
use nodetree::scenario::Scenario;
use nodetree::testing::explore::{Ask, Setup, explore};
use nodetree::testing::shapes::Shape;
use nodetree::topology::Route;
use nodetree::{Answer, Command, Dictionary, Mode, NodeTree, TopologyKind};

type Outcome<T> = Result<T, Box<dyn Error>>;

pub struct Workload {
    pub name: &'static str,
    /// Does it so many times.
    pub work: fn(usize) -> Outcome<()>,
    /// How many times, once and once more.
    pub times: [usize; 2],
}

pub const WORKLOADS: [Workload; 8] = [
    Workload { name: "exec, simulated, depth 1", work: |times| one_by_one(1, times), times: [200, 1_200] },
    Workload { name: "exec, simulated, depth 8", work: |times| one_by_one(8, times), times: [100, 600] },
    Workload { name: "pipelined execs, simulated, depth 8", work: pipelined, times: [200, 1_700] },
    Workload {
        name: "create, simulated, a node of a random tree",
        work: |times| create(times).map(drop),
        times: [100, 900],
    },
    Workload { name: "pingall of 300 nodes, simulated", work: pingall, times: [2, 12] },
    Workload { name: "codec: a request there and back", work: codec, times: [2_000, 12_000] },
    Workload { name: "exploration of two execs and a kill", work: exploration, times: [1, 4] },
    Workload { name: "scenario over links that lose", work: scenario, times: [1, 3] },
];

fn start() -> Outcome<NodeTree<Dictionary>> {
    Ok(NodeTree::<Dictionary>::builder().mode(Mode::Simulated).codec_on_each_hop(false).start()?)
}

fn grown(shape: Shape, nodes: usize) -> Outcome<NodeTree<Dictionary>> {
    let tree = start()?;
    for ticket in tree.submit_all(shape.plan(nodes, 7).creates())? {
        match tree.wait(ticket)?.answer {
            Answer::Created { .. } => {}
            answer => return Err(answer.to_string().into()),
        }
    }
    Ok(tree)
}

fn expect(tree: &NodeTree<Dictionary>, command: Command<Dictionary>, expected: &str) -> Outcome<()> {
    let answer = tree.call(command)?.to_string();
    if answer == expected { Ok(()) } else { Err(format!("{answer}, expected {expected}").into()) }
}

fn one_by_one(depth: usize, times: usize) -> Outcome<()> {
    let (tree, id) = (grown(Shape::Chain, depth)?, depth as i64);
    (0..times).try_for_each(|_| expect(&tree, Command::exec(id, Dictionary::save("x", 5)), &format!("Ok:{id}")))
}

fn pipelined(times: usize) -> Outcome<()> {
    let tree = grown(Shape::Chain, 8)?;
    let tickets = tree.submit_all((0..times).map(|_| Command::exec(8, Dictionary::save("x", 5))))?;
    tree.settle()?;
    tickets.into_iter().try_for_each(|ticket| match tree.wait(ticket)?.to_string().as_str() {
        "Ok:8" => Ok(()),
        other => Err(other.into()),
    })
}

fn create(nodes: usize) -> Outcome<NodeTree<Dictionary>> {
    grown(Shape::Random, nodes)
}

fn pingall(times: usize) -> Outcome<()> {
    let tree = create(300)?;
    (0..times).try_for_each(|_| expect(&tree, Command::PingAll, "Ok: -1"))
}

fn codec(times: usize) -> Outcome<()> {
    let mut stream = Vec::new();
    for number in 0..times as u64 {
        stream.clear();
        append(&request(number), &mut stream)?;
        let back: Envelope = decode(&stream[4..])?;
        if back != request(number) {
            return Err("it came back as another one".into());
        }
    }
    Ok(())
}

fn request(number: u64) -> Envelope {
    let bytes = Bytes::from_static(&[7; 32]);
    let piece = RequestPiece { exec: number, kind: RequestKind::Head, more: false, last: true, bytes };
    let (base, ack, credit) = (number, number, 64);
    let packet = Packet { base, ack, credit, ack_now: false, probe: false, segment: Some((number, piece)) };
    Envelope::Request { route: Route::Compare, to: NodeKey { id: 7, incarnation: 1 }, packet: Box::new(packet) }
}

fn exploration(times: usize) -> Outcome<()> {
    const NODES: &[(i64, Option<i64>)] = &[(1, None), (2, Some(1))];
    const ASKS: &[Ask] = &[Ask::Exec(2), Ask::Exec(2)];
    let setup = Setup { asks: ASKS, kills: 1, ..Setup::new(TopologyKind::List, NODES) };
    (0..times).try_for_each(|_| Ok(explore(&setup).map(drop)?))
}

fn scenario(times: usize) -> Outcome<()> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/scenarios/bad_links.ron");
    let scenario = Scenario::from_file(&path)?;
    (0..times as u64).try_for_each(|seed| Ok(scenario.clone().with_seed(seed).run().map(drop)?))
}
