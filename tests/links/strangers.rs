//! A rogue in the place of a node: below one of ours, and below the control node.
//!
//! What it does to its link must end that link and be reported, and nothing else may move (I16).

use std::time::Duration;

use nodetree::TopologyKind;
use rustix::process::{Pid, Signal, getpid, kill_process};

use crate::harness::{
    PATIENCE, Tree, check, create, descriptors, is_gone, logged, peak_mib, rogue, say, system, until,
};
use crate::sandbox::sandboxed;

/// How soon it is known that somebody is silent, where that is to be seen.
const SHORT: Duration = Duration::from_millis(500);

/// Ours: 1 with 2 below it, 3 with 4 below it, each with a number of its own.
struct Scene {
    tree: Tree,
    pids: Vec<Pid>,
}

impl Scene {
    fn new(reply_timeout: Duration) -> Self {
        let tree = system(TopologyKind::Tree, reply_timeout);
        let pids = ["create 1", "create 2 1", "create 3", "create 4 3"].map(|line| create(&tree, line)).to_vec();
        for id in 1..=4 {
            check(&tree, &[(&format!("exec {id} mine {id}"), &format!("Ok:{id}"))]);
        }
        Self { tree, pids }
    }

    /// What can be seen of ours: their places, their processes, what they hold, whether they answer.
    fn picture(&self) -> Vec<String> {
        let drawing = say(&self.tree, "tree");
        let nodes = drawing.lines().map(|line| line.trim_start_matches(['├', '└', '│', '─', ' ']).to_owned());
        let ours = nodes.filter(|node| !node.starts_with('-'));
        let questions =
            (1..=4).flat_map(|id| ["exec ID mine", "exec ID x", "ping ID"].map(|it| it.replace("ID", &id.to_string())));
        ours.chain(questions.map(|question| say(&self.tree, &question))).collect()
    }

    /// A rogue is created there and asked something, whereupon it does its deed and is lost.
    #[track_caller]
    fn loses(&self, deed: i64, detail: usize, parent: i64) {
        let (tree, id) = (&self.tree, rogue(deed, detail));
        let pid = create(tree, &format!("create {id} {parent}"));
        let before = self.picture();
        let case = format!("deed {deed}, detail {detail}, below {parent}");
        // Where it is to leave something unread, there is more than it reads at once.
        let ping = format!("ping {id}");
        let pings = std::iter::repeat_n(&*ping, if deed == 10 { 2000 } else { 1 });
        let tickets = tree.submit_lines(std::iter::once(&*format!("exec {id} anything")).chain(pings)).unwrap();
        let reply = tree.wait(tickets[0]).unwrap().answer.to_string();
        // What it answers after its deed is heard where the deed was done on the other link.
        let may_answer = matches!(deed, 5 | 15) && reply == format!("Error:{id}: done");
        assert!(may_answer || reply == format!("Error:{id}: Node is unavailable"), "{case}: {reply}");
        tickets[1..].iter().for_each(|&ticket| drop(tree.wait(ticket).unwrap()));
        until(&format!("it is ended: {case}"), || is_gone(pid));
        assert_eq!(say(tree, &format!("ping {id}")), "Ok: 0", "{case}");
        assert_eq!(self.picture(), before, "{case}");
    }
}

/// Does it below one of ours and below the control node, several at one time; then looks for what has been left.
fn lose_all(deeds: &[(i64, usize)], is_reported: bool) {
    let scene = Scene::new(PATIENCE);
    let node = scene.pids[0];
    let (before, own_before) = (descriptors(node), descriptors(getpid()));
    for parent in [1, -1] {
        logged();
        deeds.iter().for_each(|&(deed, detail)| scene.loses(deed, detail, parent));
        let (log, reports) = (logged(), deeds.len());
        if is_reported && parent == -1 {
            assert!(log.matches("a link is closed").count() >= reports, "{reports} wrong frames:\n{log}");
        }
    }
    until("the links are closed", || descriptors(node) == before && descriptors(getpid()) == own_before);
    assert!(peak_mib(node) < 64, "{} MiB", peak_mib(node));
}

/// Covers F29, F30 (garbage, versions, unknown variants, lengths 0, the limit and one, 2^31 - 1, 2^31, 2^32 - 1).
#[test]
fn what_is_no_frame_ends_the_link_and_is_reported() {
    sandboxed!({ lose_all(&(0..12).map(|detail| (1, detail)).collect::<Vec<_>>(), true) });
}

/// Covers F28: a frame that is cut behind each of its bytes, then the end.
#[test]
fn half_a_frame_and_the_end_is_a_death() {
    sandboxed!({ lose_all(&(0..32).map(|length| (2, length)).collect::<Vec<_>>(), false) });
}

/// Covers F34: one direction shut, a slow end in the middle of a frame, an end with something unread (a reset).
#[test]
fn a_link_that_ends_in_another_way_is_a_death() {
    sandboxed!({ lose_all(&[(7, 0), (9, 0), (10, 0)], false) });
}

/// Covers F29, F40: a request, a ping and a wave that come from below.
#[test]
fn what_only_a_parent_says_is_not_taken_from_a_child() {
    sandboxed!({ lose_all(&[(3, 0), (3, 1), (3, 2)], true) });
}

/// A descriptor that nobody asked for, with frames and with bytes that are none: they do not pile up.
#[test]
fn descriptors_that_nobody_asked_for_end_the_link() {
    sandboxed!({ lose_all(&[(14, 0), (14, 1)], true) });
}

/// Covers F29, F30 on a control link, and descriptors there.
#[test]
fn a_wrong_frame_on_its_control_link_ends_the_node() {
    sandboxed!({
        let scene = Scene::new(PATIENCE);
        let own_before = descriptors(getpid());
        for parent in [1, -1] {
            logged();
            (0..12).for_each(|detail| scene.loses(5, detail, parent));
            assert!(logged().matches("a link is closed").count() >= 12);
            (0..2).for_each(|detail| scene.loses(15, detail, parent));
        }
        until("the links are closed", || descriptors(getpid()) == own_before);
    });
}

/// Covers F34: whoever does not listen any more is lost when something is to be said to him.
#[test]
fn a_link_that_cannot_be_written_to_ends() {
    sandboxed!({
        let scene = Scene::new(PATIENCE);
        for parent in [1, -1] {
            let id = rogue(8, usize::from(parent == 1));
            let pid = create(&scene.tree, &format!("create {id} {parent}"));
            let before = scene.picture();
            check(&scene.tree, &[(&format!("exec {id} x"), &format!("Error:{id}: done"))]);
            check(&scene.tree, &[(&format!("ping {id}"), "Ok: 0")]);
            until("it is ended", || is_gone(pid));
            assert_eq!(scene.picture(), before);
        }
    });
}

/// Covers F40, F32: replies, pongs, deaths, markers and waves in the name of others, of earlier incarnations, and again.
#[test]
fn nobody_speaks_for_whom_he_does_not_carry() {
    sandboxed!({
        let scene = Scene::new(PATIENCE);
        let tree = &scene.tree;
        for parent in [1, -1] {
            let id = rogue(4, usize::from(parent == 1));
            create(tree, &format!("create {id} {parent}"));
            let before = scene.picture();
            check(tree, &[("pause 4", "Ok")]);
            let replies = tree.replies().unwrap();
            tree.submit_lines(["exec 4 mine", "ping 4", "pingall"]).unwrap();
            check(tree, &[(&format!("exec {id} x"), &format!("Error:{id}: done"))]);
            // Everything that it has said before that has been heard.
            assert_eq!(replies.try_iter().map(|it| it.answer.to_string()).collect::<Vec<_>>(), [""; 0]);
            check(tree, &[("resume 4", "Ok")]);
            let mut came: Vec<String> =
                (0..3).map(|_| replies.recv_timeout(PATIENCE).unwrap().answer.to_string()).collect();
            came.sort_unstable();
            assert_eq!(came, ["Ok: -1", "Ok: 1", "Ok:4: 4"]);
            assert_eq!(scene.picture(), before);
            check(tree, &[(&format!("ping {id}"), "Ok: 1"), ("pingall", "Ok: -1")]);
        }
    });
}

/// Covers F40 on the control link: links of others, and re-links that it has no part in.
#[test]
fn nobody_links_for_others() {
    sandboxed!({
        let scene = Scene::new(PATIENCE);
        let tree = &scene.tree;
        for (parent, created) in [(1, 5), (-1, 6)] {
            let id = rogue(6, usize::from(parent == 1));
            create(tree, &format!("create {id} {parent}"));
            let before = scene.picture();
            check(tree, &[("pause 3", "Ok")]);
            let replies = tree.replies().unwrap();
            // It waits for 3 to take its end of the link.
            tree.submit_lines([&*format!("create {created} 3"), "remove 4"]).unwrap();
            check(tree, &[(&format!("exec {id} x"), &format!("Error:{id}: done")), (&format!("ping {id}"), "Ok: 1")]);
            assert!(replies.try_recv().is_err(), "nobody but 3 can say that it is linked");
            check(tree, &[("resume 3", "Ok")]);
            let came: Vec<String> =
                (0..2).map(|_| replies.recv_timeout(PATIENCE).unwrap().answer.to_string()).collect();
            assert!(came.contains(&"Ok".to_owned()) && came.iter().any(|it| it.starts_with("Ok: ")), "{came:?}");
            check(tree, &[(&format!("ping {created}"), "Ok: 1"), (&format!("remove {created}"), "Ok")]);
            create(tree, "create 4 3");
            check(tree, &[("exec 4 mine 4", "Ok:4")]);
            let but_for_4 =
                |picture: Vec<String>| picture.into_iter().filter(|it| !it.starts_with("4 (")).collect::<Vec<_>>();
            assert_eq!(but_for_4(scene.picture()), but_for_4(before));
        }
    });
}

/// A flood, up the tree and on the control link: what cannot be passed on is not read, and others have their turn.
#[test]
fn a_flood_fills_no_memory_and_stops_nobody() {
    sandboxed!({
        let scene = Scene::new(PATIENCE);
        let tree = &scene.tree;
        let own_before = peak_mib(getpid());
        for (parent, deed) in [(2, 11), (-1, 11), (1, 12)] {
            let id = rogue(deed, 400 + usize::from(parent == 2));
            create(tree, &format!("create {id} {parent}"));
            let before = scene.picture();
            let replies = tree.replies().unwrap();
            tree.submit_line(&format!("exec {id} x")).unwrap();
            let mut meanwhile = 0;
            while replies.is_empty() {
                assert_eq!(scene.picture(), before);
                meanwhile += 1;
            }
            assert_eq!(replies.recv().unwrap().answer.to_string(), format!("Error:{id}: done"));
            eprintln!("deed {deed} below {parent}: ours have answered {meanwhile} times meanwhile");
            for &pid in &scene.pids {
                assert!(peak_mib(pid) < 48, "{} MiB", peak_mib(pid));
            }
            check(tree, &[(&format!("kill {id}"), "Ok")]);
        }
        let more = peak_mib(getpid()) - own_before;
        assert!(more < 48, "the control node took {more} MiB more");
    });
}

/// Covers F36: a peer that does not read. Its parent and its siblings answer, and what is for it fails in the end.
#[test]
fn a_peer_that_does_not_read_stops_nobody() {
    sandboxed!({
        const REQUESTS: usize = 20_000;
        let scene = Scene::new(PATIENCE);
        let tree = &scene.tree;
        for parent in [1, -1] {
            let id = rogue(13, usize::from(parent == 1));
            create(tree, &format!("create {id} {parent}"));
            check(tree, &[(&format!("exec {id} x"), &format!("Error:{id}: done"))]);
            let before = scene.picture();
            let replies = tree.replies().unwrap();
            let line = format!("exec {id} x");
            tree.submit_lines(std::iter::repeat_n(&*line, REQUESTS)).unwrap();
            (0..20).for_each(|_| assert_eq!(scene.picture(), before));
            assert!(replies.is_empty());
            check(tree, &[(&format!("kill {id}"), "Ok")]);
            for _ in 0..REQUESTS {
                let answer = replies.recv_timeout(PATIENCE).unwrap().answer.to_string();
                assert_eq!(answer, format!("Error:{id}: Node is unavailable"));
            }
            assert!(replies.is_empty() && peak_mib(scene.pids[0]) < 64);
        }
    });
}

/// A program that is called as a node and says something else than a node does.
#[test]
fn a_wrong_hello_is_an_error_of_create_and_leaves_nothing() {
    sandboxed!({
        let scene = Scene::new(PATIENCE);
        let before = (scene.picture(), descriptors(getpid()));
        for (detail, why) in [
            (0, "was ended by signal 9"),
            (1, "its program is nodetree 0.0.0 wire 1 dictionary"),
            (2, "was ended by signal 9"),
            (3, "was ended by signal 9"),
            (4, "was ended by signal 9"),
            (5, "ended with exit code 3"),
        ] {
            let id = rogue(17, detail);
            let reply = say(&scene.tree, &format!("create {id} 1"));
            assert!(reply.starts_with("Error: the node could not be started") && reply.contains(why), "{reply}");
            check(&scene.tree, &[(&format!("ping {id}"), "Error: Not found")]);
        }
        // The second hello is a wrong frame: whether before or after the create is answered is a matter of chance.
        let id = rogue(18, 0);
        say(&scene.tree, &format!("create {id} 1"));
        until("it is down", || say(&scene.tree, &format!("ping {id}")) != "Ok: 1");
        until("nothing is left", || descriptors(getpid()) == before.1);
        assert_eq!(scene.picture(), before.0);
    });
}

/// Covers F39 as far as there is a handshake: one that never ends.
#[test]
fn a_program_that_never_says_hello_is_given_up_and_delays_nobody() {
    sandboxed!({
        let scene = Scene::new(PATIENCE);
        let before = scene.picture();
        let replies = scene.tree.replies().unwrap();
        scene.tree.submit_line(&format!("create {} 1", rogue(17, 6))).unwrap();
        (0..20).for_each(|_| assert_eq!(scene.picture().len(), before.len()));
        let reply = replies.recv_timeout(PATIENCE).unwrap().answer.to_string();
        assert!(reply.contains("its program does not answer"), "{reply}");
        assert_eq!(scene.picture(), before);
    });
}

/// A node that never greets its parent does not come to be.
#[test]
fn a_node_that_never_greets_is_an_error_of_create() {
    sandboxed!({
        let scene = Scene::new(SHORT);
        let before = scene.picture();
        for parent in [1, -1] {
            let id = rogue(16, 0);
            assert!(say(&scene.tree, &format!("create {id} {parent}")).starts_with("Error: "));
            check(&scene.tree, &[(&format!("ping {id}"), "Error: Not found"), ("ping 1", "Ok: 1")]);
            assert_eq!(scene.picture(), before);
        }
    });
}

/// Covers F35: late, but not too late. Nobody is reported who is stopped for less than four periods, again and again.
#[test]
fn a_peer_that_is_late_is_not_reported() {
    sandboxed!({
        const PERIOD: Duration = Duration::from_millis(1500);
        let scene = Scene::new(PATIENCE);
        let notices = scene.tree.notices();
        check(&scene.tree, &[(&format!("heartbit {}", PERIOD.as_millis()), "Ok")]);
        for (&pid, times) in scene.pids.iter().zip([1, 1, 2, 1]) {
            for _ in 0..times {
                kill_process(pid, Signal::STOP).unwrap();
                std::thread::sleep(PERIOD);
                kill_process(pid, Signal::CONT).unwrap();
                std::thread::sleep(PERIOD / 10);
            }
        }
        assert_eq!(notices.try_iter().map(|it| it.to_string()).collect::<Vec<_>>(), [""; 0]);
        // And who is stopped for longer is.
        kill_process(scene.pids[3], Signal::STOP).unwrap();
        let notice = notices.recv_timeout(PATIENCE).unwrap();
        assert_eq!(notice.to_string(), "Heartbit: node 4 is unavailable now");
    });
}
