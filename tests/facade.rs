//! The library as its users see it: bounds, receivers, tickets, a command set of one's own, and the end.

use std::fmt;
use std::time::Duration;

use crossbeam_channel::select;
use nodetree::command_sets::{Progress, Request, RequestError, Turn};
use nodetree::{Answer, Command, CommandSet, Dictionary, Mode, NodeTree, SubmitError, Ticket, WaitError};
use serde::{Deserialize, Serialize};

const IN_PROCESS: [Mode; 2] = [Mode::Simulated, Mode::Threads];

fn tree<C: CommandSet>(mode: Mode) -> NodeTree<C> {
    NodeTree::builder().mode(mode).reply_timeout(Duration::from_millis(300)).start().expect("a system starts")
}

/// Counts; can also take long, panic, and answer at length.
#[derive(Default)]
struct Counter {
    count: u64,
    asked: Option<Ask>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Ask {
    Next,
    Slowly,
    Panic,
    Say(u32),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Said(String);

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl CommandSet for Counter {
    type Head = Ask;
    type Part = ();
    type Output = Said;

    const NAME: &'static str = "counter";
    const USAGE: &'static str = "exec id next|slowly|panic|say n";

    fn parse(text: &str) -> Result<Request<Self>, RequestError> {
        let head = match text {
            "next" => Ask::Next,
            "slowly" => Ask::Slowly,
            "panic" => Ask::Panic,
            _ => {
                let number = text.strip_prefix("say ").and_then(|number| number.parse().ok());
                Ask::Say(number.ok_or_else(|| RequestError::new("next, slowly, panic or say n"))?)
            }
        };
        Ok(Request { head, parts: Vec::new() })
    }

    fn print(request: &Request<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match request.head {
            Ask::Next => f.write_str("next"),
            Ask::Slowly => f.write_str("slowly"),
            Ask::Panic => f.write_str("panic"),
            Ask::Say(number) => write!(f, "say {number}"),
        }
    }

    fn begin(&mut self, head: Ask, _: &mut Turn<Said>) -> Result<(), RequestError> {
        self.asked = Some(head);
        Ok(())
    }

    fn finish(&mut self, turn: &mut Turn<Said>) -> Result<Progress, RequestError> {
        match self.asked.take() {
            Some(Ask::Panic) => panic!("as asked"),
            Some(Ask::Say(0)) => {}
            Some(Ask::Say(more)) => {
                turn.outputs.push(Said("0123456789".repeat(1_000)));
                self.asked = Some(Ask::Say(more - 1));
                return Ok(Progress::More);
            }
            _ => {
                self.count += 1;
                turn.outputs.push(Said(self.count.to_string()));
            }
        }
        Ok(Progress::Done)
    }

    fn cancel(&mut self) {
        self.asked = None;
    }

    fn long_ns(&self) -> Option<u64> {
        matches!(self.asked, Some(Ask::Slowly)).then_some(60_000_000_000)
    }
}

#[test]
fn a_submit_beyond_the_capacity_waits_and_its_try_form_says_so() {
    for mode in IN_PROCESS {
        let tree = NodeTree::<Dictionary>::builder().mode(mode).capacity(2).start().expect("a system starts");
        tree.submit(Command::Create { id: 1, parent: None }).expect("there is room");
        tree.submit(Command::Ping { id: 1 }).expect("there is room");
        tree.settle().expect("everything is answered");
        // Answered, but nobody has read the replies.
        assert_eq!(tree.try_submit(Command::PingAll), Err(SubmitError::Full(2)), "{mode}");
        let replies = tree.replies().expect("a receiver");
        let waiting = std::thread::scope(|scope| {
            let waiting = scope.spawn(|| tree.submit(Command::All).expect("it waits until there is room"));
            assert_eq!(replies.recv().expect("a reply").ticket, Ticket(1), "{mode}");
            waiting.join().expect("it goes on")
        });
        assert_eq!(waiting, Ticket(3), "{mode}");
        assert_eq!(tree.wait(waiting).expect("a reply").to_string(), "Ok: 1", "{mode}");
    }
}

#[test]
fn replies_and_notices_can_be_selected_over() {
    for mode in IN_PROCESS {
        let tree = tree::<Dictionary>(mode);
        let (replies, notices) = (tree.replies().expect("a receiver"), tree.notices());
        for line in ["create 1", "heartbit 10", "kill 1", "wait 60"] {
            tree.submit_line(line).expect("submitted");
        }
        let (mut answered, mut noticed) = (0, Vec::new());
        while answered < 4 || noticed.is_empty() {
            select! {
                recv(replies) -> reply => {
                    assert!(reply.expect("a reply").to_string().starts_with("Ok"), "{mode}");
                    answered += 1;
                }
                recv(notices) -> notice => noticed.push(notice.expect("a notice").to_string()),
            }
        }
        assert_eq!(noticed, ["Heartbit: node 1 is unavailable now"], "{mode}");
    }
}

#[test]
fn each_ticket_has_one_reply_and_others_have_none() {
    for mode in IN_PROCESS {
        let tree = tree::<Dictionary>(mode);
        let tickets = tree.submit_lines(["create 1", "exec 1 x 5", "nonsense", "exec 1 x"]).expect("submitted");
        for (ticket, expected) in
            tickets.iter().zip(["Ok: 1000", "Ok:1", "Error: Unknown command: nonsense", "Ok:1: 5"]).rev()
        {
            assert_eq!(tree.wait(*ticket).expect("a reply").to_string(), expected, "{mode}");
        }
        assert_eq!(tree.wait(tickets[0]), Err(WaitError::Unknown), "{mode}");
        assert_eq!(tree.wait(Ticket(99)), Err(WaitError::Unknown), "{mode}");
        assert_eq!(tree.submit(Command::Exit), Err(SubmitError::Exit), "{mode}");
    }
}

#[test]
fn several_systems_run_at_once_in_one_thread() {
    let trees: Vec<NodeTree<Dictionary>> = (0..6).map(|at| tree(IN_PROCESS[at % 2])).collect();
    for (at, tree) in trees.iter().enumerate() {
        assert_eq!(tree.line(&format!("create {at}")).expect("a reply"), "Ok: 1000");
    }
    for (at, tree) in trees.iter().enumerate() {
        assert_eq!(tree.line("all").expect("a reply"), format!("Ok: {at}"));
    }
}

#[test]
fn a_long_request_keeps_nobody_waiting_but_those_behind_it() {
    let tree = tree::<Counter>(Mode::Simulated);
    let lines = ["create 1", "create 2 1", "exec 1 slowly", "exec 1 next", "ping 1", "exec 2 next"];
    let tickets = tree.submit_lines(lines).expect("submitted");
    assert_eq!(tree.wait(tickets[4]).expect("a reply").to_string(), "Ok: 1");
    assert_eq!(tree.wait(tickets[5]).expect("a reply").to_string(), "Ok:2: 1");
    assert!(tree.now() < Duration::from_secs(1), "{:?}", tree.now());
    assert_eq!(tree.wait(tickets[2]).expect("a reply").to_string(), "Ok:1: 1");
    assert_eq!(tree.wait(tickets[3]).expect("a reply").to_string(), "Ok:1: 2");
    assert!(tree.now() >= Duration::from_secs(60), "{:?}", tree.now());
}

#[test]
fn a_panic_in_a_command_set_is_the_death_of_its_node() {
    for mode in IN_PROCESS {
        let tree = tree::<Counter>(mode);
        for line in ["create 1", "create 2 1", "create 3"] {
            tree.line(line).expect("a reply");
        }
        assert_eq!(tree.line("exec 1 panic").expect("a reply"), "Error:1: Node is unavailable", "{mode}");
        assert_eq!(tree.line("pingall").expect("a reply"), "Ok: 1;2", "{mode}");
        assert_eq!(tree.line("exec 3 next").expect("a reply"), "Ok:3: 1", "{mode}");
    }
}

#[test]
fn a_result_of_any_length_comes_whole() {
    for mode in IN_PROCESS {
        let tree = tree::<Counter>(mode);
        tree.line("create 1").expect("a reply");
        for pieces in [0, 1, 99, 400] {
            let answer = tree.line(&format!("exec 1 say {pieces}")).expect("a reply");
            let expected = if pieces == 0 { "Ok:1".len() } else { "Ok:1: ".len() + pieces * 10_000 };
            assert_eq!(answer.len(), expected, "{mode}");
        }
    }
}

#[test]
fn what_is_dropped_ends_whatever_is_under_way() {
    for mode in IN_PROCESS {
        let tree = tree::<Dictionary>(mode);
        for line in ["create 1", "create 2 1", "pause 1", "exec 2 x 1", "wait 86400000", "exec 2 x"] {
            tree.submit_line(line).expect("submitted");
        }
        drop(tree);
    }
}

#[test]
fn giving_up_answers_everything() {
    let tree = tree::<Dictionary>(Mode::Threads);
    let lines = [
        "create 1",
        "wait",
        "pause 1",
        "exec 1 x",
        "ping 1",
        "remove 1",
        "create 2 1",
        "wait 86400000",
        "ping 7",
        "pingall",
        "all",
    ];
    let tickets = tree.submit_lines(lines).expect("submitted");
    assert_eq!(tree.wait(tickets[2]).expect("a reply").to_string(), "Ok");
    tree.give_up().expect("everything is answered");
    let answers: Vec<Answer<Dictionary>> =
        tickets[3..].iter().map(|&ticket| tree.wait(ticket).expect("a reply").answer).collect();
    let texts: Vec<String> = answers.iter().map(ToString::to_string).collect();
    let interrupted = "Error: Interrupted";
    assert_eq!(texts[..2], ["Error:1: Node is unavailable", "Ok: 0"]);
    assert_eq!(texts[2..6], [interrupted, interrupted, interrupted, "Error: Not found"]);
    // They would wait for the changes before them. What is known is told: with the exec and the ping, 1 was given up.
    assert_eq!(texts[6..], ["Ok: 1", "Ok: 1"]);
}

#[test]
fn long_requests_to_a_stopped_node_wait_with_their_source() {
    for mode in IN_PROCESS {
        let tree = tree::<Dictionary>(mode);
        for line in ["create 1", "create 2", "pause 1"] {
            tree.line(line).expect("a reply");
        }
        // 12 MB of wrong requests: more than may be on the way, so the source waits until the first are given up.
        let text = "x ".repeat(30_000);
        let lines: Vec<String> = (0..200).map(|_| format!("exec 1 {text}")).collect();
        let tickets = tree.submit_lines(lines.iter().map(String::as_str)).expect("submitted");
        for ticket in tickets {
            let reply = tree.wait(ticket).expect("a reply").to_string();
            assert!(reply.starts_with("Error:1: "), "{mode}: {reply}");
        }
        assert_eq!(tree.line("exec 2 x 1").expect("a reply"), "Ok:2", "{mode}");
    }
}

#[test]
fn a_stream_to_a_stopped_node_is_given_up_and_the_next_command_works() {
    use nodetree::command_sets::{StreamItem, Sum, sum::Count};
    for mode in IN_PROCESS {
        let tree = tree::<Sum>(mode);
        for line in ["create 1", "create 2", "pause 1"] {
            tree.line(line).expect("a reply");
        }
        let mut exec = tree.begin_exec(1).expect("begun");
        exec.send(StreamItem::Head(Count { count: 4_000_000 })).expect("sent");
        for _ in 0..1_000 {
            exec.send(StreamItem::Part((0..4_000).map(|at| i64::MAX - at).collect())).expect("sent");
        }
        let ticket = exec.finish(Ok(())).expect("finished");
        assert_eq!(tree.wait(ticket).expect("a reply").to_string(), "Error:1: Node is unavailable", "{mode}");
        assert_eq!(tree.line("exec 2 2 40 2").expect("a reply"), "Ok:2: 42", "{mode}");
        tree.line("resume 1").expect("a reply");
        assert_eq!(tree.line("exec 1 2 40 2").expect("a reply"), "Ok:1: 42", "{mode}");
    }
}

/// The control node is not woken for every piece. Yet they get on where the queue is short, and two streams fill it together.
#[test]
fn streams_of_small_pieces_go_through_a_short_queue() {
    use nodetree::command_sets::{StreamItem, Sum, sum::Count};
    let tree = NodeTree::<Sum>::builder().mode(Mode::Threads).capacity(4).start().expect("a system");
    let mut execs = [1, 2].map(|id| {
        tree.line(&format!("create {id}")).expect("a reply");
        tree.begin_exec(id).expect("begun")
    });
    for exec in &mut execs {
        exec.send(StreamItem::Head(Count { count: 100 })).expect("sent");
    }
    for number in 0..100 {
        for exec in &mut execs {
            exec.send(StreamItem::Part([number].into_iter().collect())).expect("sent");
        }
    }
    let replies = execs.map(|exec| tree.wait(exec.finish(Ok(())).expect("finished")).expect("a reply").to_string());
    assert_eq!(replies, ["Ok:1: 4950", "Ok:2: 4950"]);
}

#[test]
fn what_was_flushed_is_taken_though_nothing_follows() {
    use nodetree::command_sets::{StreamItem, Sum, sum::Count};
    let tree: NodeTree<Sum> = tree(Mode::Threads);
    let replies = tree.replies().expect("replies");
    tree.line("create 1").expect("a reply");
    let mut exec = tree.begin_exec(1).expect("begun");
    exec.send(StreamItem::Head(Count { count: 1 })).expect("sent");
    // When this is answered, the control node sleeps.
    tree.line("ping 1").expect("a reply");
    exec.send(StreamItem::Part([1, 2].into_iter().collect())).expect("sent");
    exec.flush();
    let reply = replies.recv_timeout(Duration::from_secs(60)).expect("it is refused before its end").answer.to_string();
    assert!(reply.starts_with("Error:1: "), "{reply}");
}

#[test]
fn a_silent_node_does_not_use_up_the_room_of_the_others() {
    let builder = NodeTree::<Dictionary>::builder().mode(Mode::Threads).capacity(100);
    let tree = builder.reply_timeout(Duration::from_secs(3600)).start().unwrap();
    for line in ["create 1", "create 2", "pause 1"] {
        assert!(tree.line(line).unwrap().starts_with("Ok"));
    }
    let save = |id| Command::Exec { id, request: Ok(Dictionary::save("x", 5)) };
    let taken = (0..100).take_while(|_| tree.try_submit(save(1)).is_ok()).count();
    assert_eq!(taken, 50);
    assert_eq!(tree.try_submit(Command::Ping { id: 1 }), Err(SubmitError::Full(100)));
    for _ in 0..1_000 {
        assert_eq!(tree.call(save(2)).unwrap().to_string(), "Ok:2");
    }
    assert_eq!(tree.line("resume 1").unwrap(), "Ok");
    tree.settle().unwrap();
    assert_eq!(tree.line("ping 1").unwrap(), "Ok: 1", "what was given back can be taken again");
}

/// However many pingalls are under way, what nodes keep of them is bounded: beyond some hundred they are asked together. All
/// are answered in time.
#[test]
fn many_pingalls_are_asked_together() {
    const MANY: usize = 20_000;
    let tree: NodeTree<Dictionary> = tree(Mode::Simulated);
    for line in ["create 1", "create 2 1", "pause 2"] {
        tree.line(line).expect("a reply");
    }
    // So long it takes until all are taken.
    let began = tree.now();
    let all = tree.submit_all((0..MANY).map(|_| Command::All)).expect("there is room");
    assert!(all.into_iter().all(|ticket| tree.wait(ticket).is_ok()));
    let to_take_all = tree.now() - began;
    let (began, before) = (tree.now(), tree.delivered());
    let tickets = tree.submit_all((0..MANY).map(|_| Command::PingAll)).expect("there is room");
    for ticket in tickets {
        assert_eq!(tree.wait(ticket).expect("a reply").to_string(), "Ok: 2");
    }
    let took = tree.now() - began;
    assert!(took <= to_take_all + Duration::from_millis(301), "{took:?}, and {to_take_all:?} to take them");
    // To the node above, to the one that is paused, and the answer.
    let envelopes = tree.delivered() - before;
    assert!((1_000..=3 * 1_024).contains(&envelopes), "{envelopes}");
    tree.line("resume 2").expect("a reply");
    assert_eq!(tree.line("pingall").expect("a reply"), "Ok: -1");
}
